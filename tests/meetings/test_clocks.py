from datetime import UTC, datetime, timedelta

import pytest

from meetings.clocks import ClockRule, microseconds, moment

RECEIVED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULE = ClockRule(ahead=timedelta(minutes=2), behind=timedelta(hours=72))


@pytest.mark.parametrize(
    "claimed",
    [
        RECEIVED,
        RECEIVED + timedelta(minutes=2),
        RECEIVED - timedelta(hours=72),
        RECEIVED - timedelta(milliseconds=1),
    ],
)
def test_a_clock_that_can_be_right_is_taken_at_its_word(claimed: datetime) -> None:
    assert microseconds(claimed) in RULE.plausible(microseconds(RECEIVED))


@pytest.mark.parametrize(
    "claimed_us",
    [
        microseconds(RECEIVED + timedelta(minutes=3)),
        microseconds(RECEIVED + timedelta(minutes=2)) + 1,
        microseconds(RECEIVED - timedelta(hours=73)),
        0,
        -1,
        (2**63 - 1) * 1000,
        -(2**63) * 1000,
    ],
)
def test_a_clock_that_cannot_be_right_is_flagged(claimed_us: int) -> None:
    assert claimed_us not in RULE.plausible(microseconds(RECEIVED))


def test_a_moment_and_its_microseconds_are_one() -> None:
    at = RECEIVED + timedelta(microseconds=123_457)

    assert moment(microseconds(at)) == at
