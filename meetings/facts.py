"""Writing client events as facts: whole batches, each event once, in any order of arrival."""

from collections.abc import Iterable, Sequence

from meetings import fact_rows
from meetings.attendance import learned, upsert_attendees, upsert_meetings
from meetings.gathering import Gathered, gather
from meetings.written import Arrival, AttendeeSpan, Fact, Learned, Replaced, Written

__all__ = ["Arrival", "AttendeeSpan", "Fact", "Learned", "Replaced", "Written", "write"]


def write(arrivals: Sequence[Arrival]) -> Written:
    """Store a batch of events inside the caller's transaction.

    Attendees are locked in one order until the transaction ends, so that several drains fold the
    same attendee one after the other and none works on a stale view. Nobody else can thus add facts
    of these attendees, and of one who was not known there are none.
    """
    attendees = gather(arrivals)
    meetings = upsert_meetings({one.meeting for one in attendees})
    for one in attendees:
        one.meeting_id = meetings[one.meeting]
    attendees.sort(key=lambda one: (one.meeting_id, one.external_id))
    new_bots = upsert_attendees(attendees)
    for one in attendees:
        one.sign_facts()

    known = [one for one in attendees if one.is_known]
    first = [fact for one in attendees if not one.is_known for fact in one.facts]
    fact_rows.insert(first)
    further, replaced = fact_rows.insert_unknown([fact for one in known for fact in one.facts])
    return Written(
        new=first + further,
        new_of_known=further,
        replaced=replaced,
        attendee_ids=sorted(one.id for one in attendees),
        changed=_changed(known, further, replaced),
        meeting_ids=sorted(meetings.values()),
        learned=learned(attendees),
        new_bots=new_bots,
    )


def _changed(
    known: Sequence[Gathered], new: Iterable[Fact], replaced: Iterable[Replaced]
) -> list[AttendeeSpan]:
    ids = {fact.attendee_id for fact in new if not fact.gist.sequence}
    ids.update(one.attendee_id for one in replaced)
    return [AttendeeSpan(one.id, one.first_ms, one.last_ms) for one in known if one.id in ids]
