"""Indexes for the list of deliveries: those of one key, and those that were refused whole."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [("access", "0002_append_only_audit"), ("inbox", "0002_partitions")]

    operations = [
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["-id"], condition=Q(state="quarantined"), name="inbox_delivery_refused"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["key", "-id"], name="inbox_delivery_by_key"),
        ),
    ]
