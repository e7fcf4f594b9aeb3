"""The rows of client events: inserted by the column, replaced where a copy tells more."""

from collections.abc import Sequence

from meetings.written import Fact, Replaced
from portal.database.statements import MOMENT, booleans, integers, numbers, run, texts

REASON_LENGTH = 500

_COLUMNS = {
    "attendee_id": "bigint",
    "meeting_id": "bigint",
    "name_id": "bigint",
    "client_ms": "bigint",
    "sequence": "bigint",
    "happened_at": "bigint",
    "received_at": "bigint",
    "skewed": "boolean",
    "client_id": "bigint",
    "status_id": "bigint",
    "start_duration_ms": "double precision",
    "meeting_duration_ms": "double precision",
    "signaling_open_ms": "double precision",
    "retry_count": "integer",
    "poor_connection_count": "integer",
    "fullness": "smallint",
    "reason": "text",
    "delivery_id": "bigint",
    "ordinal": "integer",
}
_MOMENTS = ("happened_at", "received_at")
_VALUES = ", ".join(MOMENT.format(name) if name in _MOMENTS else name for name in _COLUMNS)
_ROWS = (
    f"unnest({', '.join(f'%s::{kind}[]' for kind in _COLUMNS.values())}) "
    f"AS new ({', '.join(_COLUMNS)})"
)
_INSERT = f"""
    INSERT INTO meetings_clientevent ({", ".join(_COLUMNS)}) SELECT {_VALUES} FROM {_ROWS}
"""  # noqa: S608 - built from our own column names
_INSERT_UNKNOWN = f"""
    {_INSERT} ON CONFLICT (attendee_id, sequence, client_ms, name_id) DO NOTHING
    RETURNING attendee_id, sequence, client_ms, name_id
"""


def insert(facts: Sequence[Fact]) -> None:
    """Facts of attendees of whom there were none."""
    if facts:
        run(_INSERT, _columns(facts))


def insert_unknown(facts: Sequence[Fact]) -> tuple[list[Fact], list[Replaced]]:
    """Insert facts, and replace those that are now known more fully."""
    returned = run(_INSERT_UNKNOWN, _columns(facts)) if facts else []
    if len(returned) == len(facts):
        return list(facts), []
    inserted = set(returned)
    new: list[Fact] = []
    known: list[Fact] = []
    for fact in facts:
        (new if _key(fact) in inserted else known).append(fact)
    return new, _replace(known)


def _key(fact: Fact) -> tuple[int, int, int, int]:
    return fact.attendee_id, fact.gist.sequence, fact.client_ms, fact.name_id


def _columns(facts: Sequence[Fact]) -> list[str]:
    gists = [fact.gist for fact in facts]
    return [
        integers([fact.attendee_id for fact in facts]),
        integers([fact.meeting_id for fact in facts]),
        integers([fact.name_id for fact in facts]),
        integers([fact.client_ms for fact in facts]),
        integers([gist.sequence for gist in gists]),
        integers([fact.happened_us for fact in facts]),
        integers([fact.received_us for fact in facts]),
        booleans([fact.skewed for fact in facts]),
        integers([fact.client_id for fact in facts]),
        numbers([fact.status_id for fact in facts]),
        numbers([gist.start_duration_ms for gist in gists]),
        numbers([gist.meeting_duration_ms for gist in gists]),
        numbers([gist.signaling_open_ms for gist in gists]),
        numbers([gist.retry_count for gist in gists]),
        numbers([gist.poor_connection_count for gist in gists]),
        integers([gist.fullness for gist in gists]),
        texts([gist.reason[:REASON_LENGTH] for gist in gists]),
        integers([fact.delivery_id for fact in facts]),
        integers([gist.ordinal for gist in gists]),
    ]


# Each row by its key, whatever the planner believes of a partition that nobody has counted yet.
_KNOWN = """
    SELECT number, old.fullness, old.delivery_id,
        (extract(epoch FROM old.received_at) * 1000000)::bigint,
        (extract(epoch FROM old.happened_at) * 1000000)::bigint, old.client_id
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) WITH ORDINALITY
        AS key (attendee_id, sequence, client_ms, name_id, number)
    CROSS JOIN LATERAL (
        SELECT * FROM meetings_clientevent e
        WHERE e.attendee_id = key.attendee_id AND e.sequence = key.sequence
            AND e.client_ms = key.client_ms AND e.name_id = key.name_id
            AND e.client_ms BETWEEN %s AND %s
        OFFSET 0
    ) AS old
"""
_REPLACE = f"""
    UPDATE meetings_clientevent e SET
        {
    ", ".join(
        f"{name} = {MOMENT.format(f'new.{name}') if name in _MOMENTS else f'new.{name}'}"
        for name in _COLUMNS
        if name not in ("attendee_id", "sequence", "client_ms", "name_id")
    )
}
    FROM {_ROWS}
    WHERE e.attendee_id = new.attendee_id AND e.sequence = new.sequence
        AND e.client_ms = new.client_ms AND e.name_id = new.name_id
        AND e.client_ms BETWEEN %s AND %s
"""  # noqa: S608 - built from our own column names


def _replace(facts: Sequence[Fact]) -> list[Replaced]:
    """Put copies that are fuller in the place of facts; what they replace is locked as it is."""
    keys = zip(*map(_key, facts), strict=True)
    moments = [fact.client_ms for fact in facts]
    bounds = [min(moments), max(moments)]
    fuller, replaced = [], []
    for number, fullness, delivery_id, received_us, happened_us, client_id in run(
        _KNOWN, [*map(integers, keys), *bounds]
    ):
        fact = facts[number - 1]
        if (fullness, fact.received_us, fact.delivery_id) < (
            fact.gist.fullness,
            received_us,
            delivery_id,
        ):
            fuller.append(fact)
            replaced.append(
                Replaced(
                    fact.attendee_id,
                    fact.meeting_id,
                    fact.client_ms,
                    fact.name_id,
                    fact.gist.sequence,
                    happened_us,
                    fact.happened_us,
                    client_id,
                    fact.client_id,
                )
            )
    if fuller:
        run(_REPLACE, [*_columns(fuller), *bounds])
    return replaced
