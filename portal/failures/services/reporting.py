"""Fold sightings into failures: in bulk, in any order, any number of times."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count

from portal.failures.hours import hour_of
from portal.failures.kinds import kind_of
from portal.failures.models import Action, Failure, Occurrence, State, TriageNote
from portal.failures.sightings import Sighting
from portal.failures.versions import is_older

SYSTEM = "Greenroom"
_VARIOUS = ("too many to keep apart",)


@dataclass(slots=True)
class _Fold:
    """What one batch changes about one failure."""

    failure: Failure
    new: dict[UUID, Sighting] = field(default_factory=dict)
    people: int = 0

    @property
    def latest(self) -> tuple[UUID, Sighting]:
        return max(self.new.items(), key=_age)

    @property
    def first_return(self) -> Sighting | None:
        """The earliest sighting that shows the resolution did not hold."""
        returns = [
            (key, item) for key, item in self.new.items() if _defies_resolution(item, self.failure)
        ]
        return min(returns, key=_age)[1] if returns else None


@transaction.atomic(savepoint=False)
def report(sightings: Iterable[Sighting]) -> int:
    """Store sightings and return how many were new.

    At most nine statements, however many sightings. Joins the caller's transaction; call it
    once in each, and late: the failures it touches stay locked until that transaction ends,
    and two batches that lock in one order cannot wait for each other in a circle.
    """
    batch = {item.occurrence: item for item in sightings}
    _drop_known(batch)
    if not batch:
        return 0
    groups = {key: item.group for key, item in batch.items()}
    _limit_groups(batch, groups)
    # Always in one order: see above.
    stored = {key: batch[key].storable() for key in sorted(batch)}
    failures = _lock_failures(stored, groups)
    folds = _store_occurrences(stored, {key: failures[groups[key]] for key in stored})
    if folds:  # another writer may have stored them all while this one waited for its locks
        _store_summaries(folds)
        _update_failures(folds)
        _note_regressions(folds)
    return sum(len(fold.new) for fold in folds.values())


def _drop_known(batch: dict[UUID, Sighting]) -> None:
    """Whole batches are often resent: then nothing is locked at all."""
    if batch:
        known = Occurrence.objects.filter(key__in=list(batch))
        for key in known.values_list("key", flat=True):
            del batch[key]


def _limit_groups(batch: dict[UUID, Sighting], groups: dict[UUID, UUID]) -> None:
    """Have what would be one group too many of its kind share one with others like it.

    Writers at the same moment do not see each other's new groups: together they may make a few
    more than the limit.
    """
    kinds = {groups[key]: item.kind for key, item in batch.items()}
    known = Failure.objects.filter(fingerprint__in=list(kinds))
    unknown = sorted(kinds.keys() - set(known.values_list("fingerprint", flat=True)))
    if not unknown:
        return
    counted = Failure.objects.filter(kind__in={kinds[group] for group in unknown})
    number = Counter(dict(counted.order_by().values_list("kind").annotate(Count("id"))))
    surplus = set()
    for group in unknown:
        kind = kinds[group]
        number[kind] += 1
        if number[kind] > settings.FAILURES_MAX_GROUPS_PER_KIND:
            surplus.add(group)
    for key, item in batch.items():
        if groups[key] in surplus:
            various = replace(
                item,
                title=f"Various: {kind_of(item.kind).label}",
                reason="Too many different reasons to keep apart",
                fingerprint=_VARIOUS,
            )
            batch[key], groups[key] = various, various.group


def _lock_failures(stored: dict[UUID, Sighting], groups: dict[UUID, UUID]) -> dict[UUID, Failure]:
    """The failure of each fingerprint, made if it is new, locked against other writers."""
    newest: dict[UUID, tuple[UUID, Sighting]] = {}
    for key, item in stored.items():
        held = newest.get(groups[key])
        if held is None or _age(held) < _age((key, item)):
            newest[groups[key]] = (key, item)
    Failure.objects.bulk_create(
        [
            Failure(
                kind=item.kind,
                fingerprint=fingerprint,
                title=item.title,
                reason=item.reason,
                first_seen_at=item.happened_at,
                last_seen_at=item.happened_at,
                last_key=key,
                last_version=item.version,
            )
            for fingerprint, (key, item) in sorted(newest.items())
        ],
        ignore_conflicts=True,
    )
    rows = Failure.objects.filter(fingerprint__in=list(newest)).order_by("fingerprint")
    return {row.fingerprint: row for row in rows.select_for_update(no_key=True)}


def _store_occurrences(
    stored: dict[UUID, Sighting], failures: dict[UUID, Failure]
) -> dict[int, _Fold]:
    columns = [
        (
            failures[key].pk,
            key,
            item.happened_at,
            item.person,
            item.version,
            json.dumps(item.tags),
            item.url,
            item.detail,
        )
        for key, item in stored.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_OCCURRENCES, [list(column) for column in zip(*columns, strict=True)])
        new = [key for (key,) in cursor.fetchall()]
    folds: dict[int, _Fold] = {}
    for key in new:
        failure = failures[key]
        folds.setdefault(failure.pk, _Fold(failure)).new[key] = stored[key]
    return folds


_INSERT_OCCURRENCES = """
    INSERT INTO failures_occurrence
        (failure_id, key, happened_at, person, version, tags, url, detail, reported_at)
    SELECT *, now() FROM unnest(
        %s::bigint[], %s::uuid[], %s::timestamptz[], %s::text[], %s::text[],
        %s::text[]::jsonb[], %s::text[], %s::text[]
    )
    ON CONFLICT (key) DO NOTHING
    RETURNING key
"""


def _store_summaries(folds: dict[int, _Fold]) -> None:
    """Who was hit from when to when, and how often in each hour."""
    moments: dict[tuple[int, str], list[datetime]] = defaultdict(list)
    hours: Counter[tuple[int, datetime]] = Counter()
    for pk, fold in folds.items():
        for item in fold.new.values():
            hours[pk, hour_of(item.happened_at)] += 1
            if item.person:
                moments[pk, item.person].append(item.happened_at)
    people = [(pk, name, min(seen), max(seen)) for (pk, name), seen in sorted(moments.items())]
    numbers = [(pk, hour, number) for (pk, hour), number in sorted(hours.items())]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_SUMMARIES, [*_columns(numbers, 3), *_columns(people, 4)])
        for (pk,) in cursor.fetchall():
            folds[pk].people += 1


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[position] for row in rows] for position in range(width)]


# A row that was there before has an xmax: this statement's own lock on it.
_INSERT_SUMMARIES = """
    WITH counted AS (
        INSERT INTO failures_occurrencehour AS hour (failure_id, hour, number)
        SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::int[])
        ON CONFLICT (failure_id, hour) DO UPDATE SET number = hour.number + excluded.number
    ), seen AS (
        INSERT INTO failures_affectedperson AS known
            (failure_id, person, first_seen_at, last_seen_at)
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[])
        ON CONFLICT (failure_id, person) DO UPDATE
        SET first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
            last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at)
        WHERE known.first_seen_at > excluded.first_seen_at
            OR known.last_seen_at < excluded.last_seen_at
        RETURNING failure_id, xmax = 0 AS is_new
    )
    SELECT failure_id FROM seen WHERE is_new
"""


def _update_failures(folds: dict[int, _Fold]) -> None:
    changes = [_changed(fold) for fold in folds.values()]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE_FAILURES, [list(column) for column in zip(*changes, strict=True)])


_Change = tuple[int, int, int, datetime, datetime, UUID, str, str, str, str, datetime | None, int]

_UPDATE_FAILURES = """
    UPDATE failures_failure AS failure
    SET occurrences = failure.occurrences + change.occurrences,
        people = failure.people + change.people,
        first_seen_at = change.first_seen_at,
        last_seen_at = change.last_seen_at,
        last_key = change.last_key,
        last_version = change.last_version,
        title = change.title,
        reason = change.reason,
        state = change.state,
        regressed_at = change.regressed_at,
        revision = failure.revision + change.revision
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
        %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::int[]
    ) AS change (
        id, occurrences, people, first_seen_at, last_seen_at,
        last_key, last_version, title, reason, state, regressed_at, revision
    )
    WHERE failure.id = change.id
"""


def _changed(fold: _Fold) -> _Change:
    """The failure's columns after the fold. Its row is locked, so nobody else changes them."""
    failure, (key, latest), back = fold.failure, fold.latest, fold.first_return
    rises = _age((key, latest)) >= (failure.last_seen_at, failure.last_key)
    regressed_at = failure.regressed_at
    if back and (regressed_at or failure.state == State.RESOLVED):
        regressed_at = min(regressed_at or back.happened_at, back.happened_at)
    reopens = back is not None and failure.state == State.RESOLVED
    return (
        failure.pk,
        len(fold.new),
        fold.people,
        min(failure.first_seen_at, *(item.happened_at for item in fold.new.values())),
        latest.happened_at if rises else failure.last_seen_at,
        key if rises else failure.last_key,
        latest.version if rises else failure.last_version,
        latest.title if rises else failure.title,
        latest.reason if rises else failure.reason,
        State.OPEN if reopens else failure.state,
        regressed_at,
        int(reopens),
    )


def _note_regressions(folds: dict[int, _Fold]) -> None:
    notes = []
    for fold in folds.values():
        back = fold.first_return
        if back and fold.failure.state == State.RESOLVED:
            version = f" in version {back.version}" if back.version else ""
            notes.append(
                TriageNote(
                    failure=fold.failure,
                    author_name=SYSTEM,
                    action=Action.REGRESSION,
                    from_state=State.RESOLVED,
                    to_state=State.OPEN,
                    text=f"Happened again{version} after it was resolved.",
                )
            )
    if notes:
        TriageNote.objects.bulk_create(notes)


def _age(keyed: tuple[UUID, Sighting]) -> tuple[datetime, UUID]:
    """Orders sightings by time; the key decides between those of one moment."""
    key, item = keyed
    return item.happened_at, key


def _defies_resolution(item: Sighting, failure: Failure) -> bool:
    if failure.resolved_at is None or item.happened_at <= failure.resolved_at:
        return False
    return not is_older(item.version, than=failure.resolved_in_version)
