from datetime import UTC, datetime, timedelta

import pytest

from meetings.clocks import ClockRule

RECEIVED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULE = ClockRule(ahead=timedelta(minutes=2), behind=timedelta(hours=72))


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


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
    moment = RULE.judge(ms(claimed), RECEIVED)

    assert moment.at == claimed
    assert not moment.skewed


@pytest.mark.parametrize(
    "client_ms",
    [
        ms(RECEIVED + timedelta(minutes=3)),
        ms(RECEIVED - timedelta(hours=73)),
        0,
        -1,
        2**63 - 1,
        -(2**63),
    ],
)
def test_a_clock_that_cannot_be_right_is_flagged_and_ours_counts(client_ms: int) -> None:
    moment = RULE.judge(client_ms, RECEIVED)

    assert moment.at == RECEIVED
    assert moment.skewed


def test_an_event_that_claims_no_time_happened_when_it_came() -> None:
    moment = RULE.judge(None, RECEIVED)

    assert moment.at == RECEIVED
    assert not moment.skewed
