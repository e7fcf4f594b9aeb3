"""What the portal makes of events, in a form that two runs can be compared by."""

from typing import Any

from django.db import connection

from meetings import dimensions
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.rollups import kinds
from portal.failures.models import Failure, Occurrence
from portal.inbox.models import Quarantine

_OWN = ("meetings_", "inbox_", "failures_")
_NUMBERS = {"id", "meeting_id", "attendee_id", "client_id"}


def forget_everything() -> None:
    """Empty the tables of events, for the next example of one test."""
    with connection.cursor() as cursor:
        tables = [
            connection.ops.quote_name(table)
            for table in connection.introspection.table_names(cursor)
            if table.startswith(_OWN)
        ]
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # checks that wait forbid emptying
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    dimensions.forget_known()
    kinds.forget_known()


def state() -> dict[str, Any]:
    """Meetings, attendees, events and failures, without what depends on the order of inserts."""
    return {
        "meetings": _rows(Meeting.objects.all()),
        "attendees": _rows(Attendee.objects.select_related("client", "meeting")),
        "events": sorted(
            ClientEvent.objects.values_list(
                "meeting__external_id",
                "attendee__external_id",
                "name__value",
                "client_ms",
                "happened_at",
                "status__value",
                "reason",
            ),
            key=str,
        ),
        "failures": sorted(Failure.objects.values_list("kind", "title", "occurrences")),
        "occurrences": Occurrence.objects.count(),
        "held": sorted(Quarantine.objects.held().values_list("door", "reason")),
    }


def _rows(rows: Any) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        values = {
            field.attname: getattr(row, field.attname)
            for field in row._meta.fields
            if field.attname not in _NUMBERS
        }
        values["client"] = str(getattr(row, "client", ""))
        values["of"] = getattr(getattr(row, "meeting", row), "external_id", "")
        found.append(values)
    return sorted(found, key=str)
