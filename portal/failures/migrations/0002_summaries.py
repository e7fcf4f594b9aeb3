"""When each person was first and last seen, and occurrences by the hour, of what is there."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

# Whose occurrences retention has taken were seen when their failure was, at the latest.
SEE_PEOPLE = """
    UPDATE failures_affectedperson AS known
    SET first_seen_at = coalesce(seen.first, failure.first_seen_at),
        last_seen_at = coalesce(seen.last, failure.first_seen_at)
    FROM failures_affectedperson AS person
    JOIN failures_failure AS failure ON failure.id = person.failure_id
    LEFT JOIN (
        SELECT failure_id, person, min(happened_at) AS first, max(happened_at) AS last
        FROM failures_occurrence
        WHERE person <> ''
        GROUP BY failure_id, person
    ) AS seen ON seen.failure_id = person.failure_id AND seen.person = person.person
    WHERE person.id = known.id
"""
COUNT_HOURS = """
    INSERT INTO failures_occurrencehour (failure_id, hour, number)
    SELECT failure_id, date_trunc('hour', happened_at, 'UTC'), count(*)
    FROM failures_occurrence
    GROUP BY 1, 2
"""


class Migration(migrations.Migration):

    dependencies = [
        ("failures", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="affectedperson",
            name="first_seen_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="affectedperson",
            name="last_seen_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(SEE_PEOPLE, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="affectedperson",
            name="first_seen_at",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="affectedperson",
            name="last_seen_at",
            field=models.DateTimeField(),
        ),
        migrations.AddConstraint(
            model_name="affectedperson",
            constraint=models.CheckConstraint(condition=models.Q(("first_seen_at__lte", models.F("last_seen_at"))), name="failures_affectedperson_seen_in_order"),
        ),
        migrations.AddIndex(
            model_name="affectedperson",
            index=models.Index(fields=["failure", "last_seen_at"], include=["first_seen_at"], name="failures_affectedperson_seen"),
        ),
        migrations.CreateModel(
            name="OccurrenceHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("number", models.PositiveIntegerField()),
                ("failure", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="hours", to="failures.failure")),
            ],
            options={
                "indexes": [django.contrib.postgres.indexes.BrinIndex(fields=["hour"], name="failures_occurrencehour_hour")],
                "constraints": [models.UniqueConstraint(fields=("failure", "hour"), include=("number",), name="failures_occurrencehour_once")],
            },
        ),
        migrations.RunSQL(COUNT_HOURS, migrations.RunSQL.noop),
    ]
