"""Indexes of what lists look for most: trouble, and clocks that cannot be right. Small, partial."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [("meetings", "0003_rollups")]

    operations = [
        migrations.AddIndex(
            model_name="attendee",
            index=models.Index(
                fields=["-last_event_at", "-id"],
                condition=(
                    Q(join_failure_count__gt=0)
                    | Q(drop_count__gt=0)
                    | Q(audio_failure_count__gt=0)
                    | Q(video_failure_count__gt=0)
                ),
                name="meetings_attendee_troubled",
            ),
        ),
        migrations.AddIndex(
            model_name="clientevent",
            index=models.Index(
                fields=["-happened_at", "-id"],
                condition=Q(skewed=True),
                name="meetings_event_skewed",
            ),
        ),
        migrations.AddIndex(
            model_name="meeting",
            index=models.Index(
                fields=["-last_event_at", "-id"],
                condition=(
                    Q(failed_count__gt=0) | Q(dropped_count__gt=0) | Q(device_failed_count__gt=0)
                ),
                name="meetings_meeting_troubled",
            ),
        ),
    ]
