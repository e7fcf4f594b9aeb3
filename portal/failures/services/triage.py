"""What people do about failures. Each step is checked against what its person saw."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal import moments
from portal.access import audit
from portal.access.models import User
from portal.errors import ConflictError, OperationError
from portal.failures.models import Action, Failure, State, TriageNote
from portal.failures.sightings import fit

LONGEST_MUTE = timedelta(days=366)
_TRIAGED = [
    "state", "muted_until", "owner_id", "resolved_at", "resolved_in_version", "regressed_at",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """Who takes a step: a person, or a program named by its key."""

    name: str
    user: User | None = None
    request: HttpRequest | None = None


def acknowledge(failure: Failure, actor: Actor, *, seen: int | None = None) -> TriageNote:
    """Somebody looks after it now: whoever says so, unless it has an owner already."""
    _require(failure, State.OPEN, seen=seen)
    owner_id = failure.owner_id or (actor.user.pk if actor.user else None)
    return _change(
        failure, actor, Action.ACKNOWLEDGE, seen, state=State.ACKNOWLEDGED, owner_id=owner_id
    )


def resolve(
    failure: Failure, actor: Actor, *, in_version: str = "", seen: int | None = None
) -> TriageNote:
    """It comes back by itself if it happens again (in this version or a later one)."""
    _require(failure, State.OPEN, State.ACKNOWLEDGED, seen=seen)
    version = fit(in_version, 64)
    return _change(
        failure,
        actor,
        Action.RESOLVE,
        seen,
        text=f"in version {version}" if version else "",
        state=State.RESOLVED,
        resolved_at=timezone.now(),
        resolved_in_version=version,
        regressed_at=None,
        muted_until=None,
    )


def reopen(failure: Failure, actor: Actor, *, seen: int | None = None) -> TriageNote:
    _require(failure, State.ACKNOWLEDGED, State.RESOLVED, seen=seen)
    return _change(
        failure,
        actor,
        Action.REOPEN,
        seen,
        state=State.OPEN,
        resolved_at=None,
        resolved_in_version="",
        regressed_at=None,
    )


def mute(failure: Failure, actor: Actor, *, until: datetime, seen: int | None = None) -> TriageNote:
    """Silence it until that moment. It counts on meanwhile, and comes back by itself."""
    _require(failure, State.OPEN, State.ACKNOWLEDGED, seen=seen)
    now = timezone.now()
    if not now < until <= now + LONGEST_MUTE:
        raise OperationError("Choose a moment in the future, at most a year away.")
    text = f"until {moments.both_zones(until)}"
    return _change(failure, actor, Action.MUTE, seen, text=text, muted_until=until)


def unmute(failure: Failure, actor: Actor, *, seen: int | None = None) -> TriageNote:
    if not failure.is_muted():
        raise _conflict(failure, "This failure is not muted.", seen)
    return _change(failure, actor, Action.UNMUTE, seen, muted_until=None)


def assign(
    failure: Failure, actor: Actor, *, owner: User | None, seen: int | None = None
) -> TriageNote:
    if owner and not (owner.is_staff and owner.is_active):
        raise OperationError("A failure can belong only to staff who may sign in.")
    if failure.owner_id == (owner.pk if owner else None):
        whom = f"belongs to {owner.get_username()}" if owner else "belongs to nobody"
        raise _conflict(failure, f"This failure {whom} already.", seen)
    text = f"to {owner.get_username()}" if owner else "to nobody"
    return _change(
        failure, actor, Action.ASSIGN, seen, text=text, owner_id=owner.pk if owner else None
    )


@transaction.atomic
def add_note(failure: Failure, actor: Actor, *, text: str) -> TriageNote:
    text = fit(text, 4000)
    if not text:
        raise OperationError("Write something into the note first.")
    note = _write(failure, actor, Action.NOTE, text=text)
    _audit(failure, actor, Action.NOTE)
    return note


def undo(note: TriageNote, actor: Actor) -> TriageNote:
    """Put back what that step changed, if nothing has changed since."""
    if not note.before:
        raise OperationError("Only a change of state, mute or owner can be taken back.")
    failure = note.failure
    columns = dict(note.before["columns"])
    for name in ("muted_until", "resolved_at", "regressed_at"):
        columns[name] = parse_datetime(columns[name]) if columns[name] else None
    if not User.objects.filter(pk=columns["owner_id"]).exists():
        columns["owner_id"] = None
    text = f"({note.get_action_display()})"
    return _change(failure, actor, Action.UNDO, note.before["revision"], text=text, **columns)


def _change(
    failure: Failure, actor: Actor, action: Action, seen: int | None, *, text: str = "", **to: Any
) -> TriageNote:
    """Change the row only if it still is as the person saw it, and write that down."""
    seen = failure.revision if seen is None else seen
    before = {name: getattr(failure, name) for name in _TRIAGED}
    with transaction.atomic():
        row = Failure.objects.filter(pk=failure.pk, revision=seen)
        if failure.revision != seen or not row.update(revision=F("revision") + 1, **to):
            raise _conflict(failure, seen=seen)
        source = failure.standing
        failure.refresh_from_db()
        note = _write(
            failure,
            actor,
            action,
            text=text,
            from_state=source,
            to_state=failure.standing,
            before={"revision": failure.revision, "columns": _as_json(before)},
        )
        _audit(failure, actor, action, change=text, before=source, after=failure.standing)
    return note


def _write(failure: Failure, actor: Actor, action: Action, **fields: Any) -> TriageNote:
    return TriageNote.objects.create(
        failure=failure,
        author=actor.user,
        author_name=fit(actor.name, 200),
        action=action,
        **fields,
    )


def _audit(failure: Failure, actor: Actor, action: Action, **detail: str) -> None:
    audit.record(
        f"failure.{action}",
        actor=actor.user,
        request=actor.request,
        target=failure,
        by=actor.name,
        **detail,
    )


def _as_json(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in columns.items()
    }


def _require(failure: Failure, *states: State, seen: int | None) -> None:
    if failure.state not in states:
        label = State(failure.state).label.lower()
        raise _conflict(failure, f"This failure is {label} already.", seen)


def _conflict(failure: Failure, otherwise: str = "", seen: int | None = None) -> ConflictError:
    """Say who was faster, where somebody was."""
    last = failure.notes.exclude(action=Action.NOTE).first()
    if last is None or (otherwise and seen in (None, failure.revision)):
        return ConflictError(otherwise)
    who = f"{last.author_name} {last.get_action_display()}"
    if last.action == Action.REGRESSION:
        who = "It happened again and came back"
    return ConflictError(
        f"Meanwhile this failure has changed: {who} {moments.relative(last.at)}. "
        "Look at it again, then decide."
    )
