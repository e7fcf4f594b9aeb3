"""Why something is held, in plain words, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from portal.inbox.models import Delivery, Quarantine


@dataclass(frozen=True, slots=True)
class Words:
    label: str
    advice: str = ""

    @property
    def client_must_change(self) -> bool:
        """Replaying the same bytes cannot help."""
        return self.advice == _SENDER


_SENDER = "Whoever sends this must change the client. Discard the item once they know."
_REPLAY_LATER = "After an update of the portal that can read it, replay it."

_REASONS: dict[str, Words] = {
    "not-json": Words("Not JSON", _SENDER),
    "not-utf8": Words("Not UTF-8 text", _SENDER),
    "empty": Words("Empty body", _SENDER),
    "too-deep": Words("Nested too deep", _SENDER),
    "not-an-array": Words("Not an array of events", _SENDER),
    "not-an-object": Words("Not a JSON object", _SENDER),
    "not-meeting-events": Words("Not meeting events", _SENDER),
    "no-events": Words("No list of events", _SENDER),
    "no-logs": Words("No list of log lines", _SENDER),
    "no-payloads": Words("An event without payloads", _SENDER),
    "no-attributes": Words("An event without attributes", _SENDER),
    "no-name": Words("An event without a name", _SENDER),
    "no-meeting": Words("An event without a meeting", _SENDER),
    "no-attendee": Words("An event without an attendee", _SENDER),
    "no-timestamp": Words("An event without a time", _SENDER),
    "no-message": Words("A log line without a message", _SENDER),
    "id-too-long": Words("An id that is too long", _SENDER),
    "missing-properties": Words("Required properties are missing", _SENDER),
    "too-many-items": Words(
        "Very many items in one body",
        "They were not read, so that others need not wait. Replay them when the drain has time.",
    ),
    "too-many-refused": Words("Very many bad items in one body", _SENDER),
    "handling-failed": Words(
        "The portal failed at it",
        "A fault of the portal rather than of the sender: the detail names it. " + _REPLAY_LATER,
    ),
    "handling-kills-the-drain": Words(
        "It ended the drain or its database connection each time",
        "Read the logs of the drain and of PostgreSQL at those times first. " + _REPLAY_LATER,
    ),
    "body-damaged": Words(
        "A body that was damaged in the archive",
        "Something is wrong with the database's disk or memory: look at its host and logs. Bring "
        "the body back from a backup if there is one, then discard the item.",
    ),
    "unknown-door": Words("No part of the portal handles it", _REPLAY_LATER),
    "cloudwatch-too-old": Words(
        "Too old for CloudWatch",
        "The portal has the event; CloudWatch takes none older than 14 days. Discard it.",
    ),
    "cloudwatch-too-new": Words(
        "Too far ahead for CloudWatch",
        "The portal has the event; its client's clock is ahead. Replay it later, or discard it.",
    ),
    "cloudwatch-too-large": Words(
        "Too large for CloudWatch", "The portal has the event. Discard it."
    ),
    "cloudwatch-refused": Words(
        "Refused by CloudWatch", "The portal has the event. The detail says why AWS refused it."
    ),
    "cloudwatch-off": Words(
        "The CloudWatch sink is off", "Set CLOUDWATCH_LOG_GROUP and replay it, or discard it."
    ),
    "sqs-unreadable": Words(
        "A message on the queue that is none of ours",
        "Something else writes to the inbox's queue: the policy should let the doors alone send. "
        "Discard the item.",
    ),
    "sqs-version": Words("A message of a later portal", _REPLAY_LATER),
    "sqs-body-gone": Words(
        "A body that the bucket has lost",
        "If the bucket keeps versions, bring the object back and replay the item.",
    ),
    "sqs-body-damaged": Words("A body that was damaged on its way", "Look at it, then discard it."),
    "sqs-body-away": Words("A body that S3 did not hand out", "Replay it once S3 can be reached."),
    "sqs-too-often": Words(
        "Taken from the queue too often", "Read the logs first, then replay it."
    ),
    "sqs-dead-letter": Words("From the dead-letter queue", "Read the logs first, then replay it."),
}

_DOORS = {
    "meetingevents": "Meeting events",
    "client-events": "Client events (SDK)",
    "log-lines": "Log lines",
    "log-streams": "Log streams",
    "cloudwatch": "CloudWatch sink",
    "sqs": "SQS inbox",
}

_STATES = {
    Quarantine.State.HELD: ("warn", "Held"),
    Quarantine.State.REPLAYING: ("info", "Being replayed"),
    Quarantine.State.REPLAYED: ("ok", "Replayed"),
    Quarantine.State.DISCARDED: ("unknown", "Discarded"),
}
_DELIVERY_STATES = {
    Delivery.State.WAITING: ("info", "Waiting"),
    Delivery.State.HANDLED: ("ok", "Handled"),
    Delivery.State.QUARANTINED: ("bad", "Quarantined"),
}


def reason(slug: str) -> Words:
    return _REASONS.get(slug) or Words(slug.replace("-", " ").capitalize())


def reasons(slugs: Iterable[str]) -> list[tuple[str, str]]:
    """Choices of a filter, by their words."""
    return sorted(((slug, reason(slug).label) for slug in slugs), key=lambda one: one[1])


def door(name: str) -> str:
    return _DOORS.get(name, name)


def door_names() -> list[str]:
    return list(_DOORS)


def item_state(state: str) -> tuple[str, str]:
    """The kind of mark and the word."""
    return _STATES[Quarantine.State(state)]


def delivery_state(state: str) -> tuple[str, str]:
    return _DELIVERY_STATES[Delivery.State(state)]
