"""What a batch of new facts adds to the roll-ups. Part of the drain's transaction.

Only inserts: a row that several drains would change is a row that they would wait for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from meetings.facts import Fact, Written
from meetings.rollups import kinds, troubles
from meetings.rollups.cover import BUCKET
from meetings.rollups.histogram import Histogram, bin_of, is_counted
from meetings.rollups.tallies import COUNTED, NAMES, PEOPLE, TROUBLE
from meetings.vocabulary import JOIN_SUCCEEDED
from portal.database.statements import integers, run, texts

_COUNTS = tuple(COUNTED.values())
_COLUMNS = ", ".join((*_COUNTS, "bins", "upto"))
_BUCKET_US = BUCKET * 1_000_000


class CellKey(NamedTuple):
    bucket: int
    """Its start, seconds since 1970."""
    kind_id: int
    region: str


@dataclass(slots=True)
class Tally:
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    bins: dict[int, int] = field(default_factory=dict)


def record(written: Written) -> None:
    """Count new facts, and mark what a batch made untrue.

    To be called once attendees and meetings are folded: while their rows are locked, nobody else
    can tell what becomes of them. Whether an attendee is a bot, and the region of a meeting, are
    then the same for whoever counts their facts and whoever marks those counted before.
    """
    counted = [one for one in written.new if one.gist.name in COUNTED and not one.is_bot]
    # Of replaced facts as well: they are counted anew, and so is the trouble of who they are of.
    clients = {one.client_id for one in counted}
    for one in written.replaced:
        clients.update((one.old_client_id, one.new_client_id))
    kind_of = kinds.of_clients(clients)
    if counted:
        _insert(tallies(counted, kind_of, _regions({one.meeting_id for one in counted})))
    troubles.fold(
        [
            *(one.attendee_id for one in counted if one.gist.name in TROUBLE),
            *(one.attendee_id for one in written.replaced),
            *written.new_bots,
        ]
    )
    _mark(written)


def tallies(
    facts: Iterable[Fact], kind_of: Mapping[int, int], region_of: Mapping[int, str]
) -> dict[CellKey, Tally]:
    found: dict[CellKey, Tally] = {}
    for fact in facts:
        gist = fact.gist
        key = CellKey(
            fact.happened_us // _BUCKET_US * BUCKET,
            kind_of[fact.client_id],
            region_of.get(fact.meeting_id, ""),
        )
        tally = found.get(key)
        if tally is None:
            tally = found[key] = Tally()
        tally.counts[COUNTED[gist.name]] += 1
        duration = gist.start_duration_ms
        if gist.name == JOIN_SUCCEEDED and duration is not None and is_counted(duration):
            number = bin_of(duration)
            tally.bins[number] = tally.bins.get(number, 0) + 1
    return found


def _regions(meeting_ids: Iterable[int]) -> dict[int, str]:
    return dict(
        run(
            "SELECT id, media_region FROM meetings_meeting "
            "WHERE id = ANY(%s::bigint[]) AND media_region <> ''",
            [integers(meeting_ids)],
        )
    )


_INSERT = f"""
    INSERT INTO meetings_rollupcell
        (bucket, kind_id, region, {_COLUMNS}, {", ".join(PEOPLE)}, is_new)
    SELECT to_timestamp(bucket), kind_id, region, {", ".join(_COUNTS)},
        bins::integer[], upto::bigint[], {"0, " * len(PEOPLE)} true
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], {"%s::bigint[], " * len(_COUNTS)}
        %s::text[], %s::text[]) AS new (bucket, kind_id, region, {_COLUMNS})
"""  # noqa: S608 - parts of our own


def _insert(found: Mapping[CellKey, Tally]) -> None:
    histograms = [Histogram.of_counts(tally.bins) for tally in found.values()]
    run(
        _INSERT,
        [
            integers(key.bucket for key in found),
            integers(key.kind_id for key in found),
            texts(key.region for key in found),
            *(integers(tally.counts[name] for tally in found.values()) for name in _COUNTS),
            texts(integers(one.bins) for one in histograms),
            texts(integers(one.upto) for one in histograms),
        ],
    )


# --- What was counted and is no longer true -----------------------------------------------------

_MARK = f"""
    INSERT INTO meetings_rollupdirty (bucket)
    SELECT DISTINCT date_bin('{BUCKET} s', at, to_timestamp(0))
    FROM ({{events}}) AS told (at, name_id)
    JOIN meetings_eventname n ON n.id = told.name_id AND n.value = ANY(%s::text[])
"""  # noqa: S608 - parts of our own
_MARK_REPLACED = _MARK.format(
    events="SELECT to_timestamp(us / 1e6), name_id FROM unnest(%s::bigint[], %s::bigint[]) "
    "AS one (us, name_id)"
)
# Attendees first: the client's times of their events say which partitions hold them. What came
# with this very batch was counted as it is now.
_OF_ATTENDEES = """
    SELECT e.happened_at, e.name_id FROM meetings_attendee a
    JOIN meetings_clientevent e ON e.attendee_id = a.id AND e.sequence = 0
        AND e.client_ms BETWEEN a.first_client_ms AND a.last_client_ms
    WHERE a.{column} = ANY(%s::bigint[]) AND NOT e.delivery_id = ANY(%s::bigint[])
"""
_MARK_BOTS = _MARK.format(events=_OF_ATTENDEES.format(column="id"))
_MARK_REGIONS = _MARK.format(events=_OF_ATTENDEES.format(column="meeting_id"))


def _mark(written: Written) -> None:
    names = texts(NAMES)
    if written.replaced:
        moments = [
            (us, one.name_id)
            for one in written.replaced
            for us in {one.old_happened_us, one.new_happened_us}
        ]
        run(_MARK_REPLACED, [*(integers(column) for column in zip(*moments, strict=True)), names])
    if written.new_bots or written.new_regions:
        brought = integers({one.delivery_id for one in written.new})
        run(_MARK_BOTS, [integers(written.new_bots), brought, names])
        run(_MARK_REGIONS, [integers(written.new_regions), brought, names])
