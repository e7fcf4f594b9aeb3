"""How far back there are facts to count. What is older is told by what was counted in its time."""

from datetime import datetime

from portal.retention import registered

# Of meetings.retention, which knows the roll-ups and cannot be imported here.
EVENTS = "events"


def horizon(now: datetime | None = None) -> datetime | None:
    """Facts from before this midnight are gone, or about to go; None where they are kept for ever.

    Nothing older may be counted anew: good figures would be replaced by zeros.
    """
    return next((one.cutoff(now) for one in registered() if one.name == EVENTS), None)
