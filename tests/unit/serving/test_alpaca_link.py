"""When a connection is tried again, and when it is given up."""

from datetime import date, datetime, timedelta

import pytest

from riskee.errors import RetryableError
from riskee.market.sessions import exchange_sessions
from serving.consumers.feeds.alpaca.link import pause_after, require_life
from serving.consumers.feeds.alpaca.stream import ConnectionTakenError

(SESSION,) = exchange_sessions(date(2026, 1, 5), date(2026, 1, 5))
NOON = SESSION.opens_at + timedelta(hours=2)
LOST = RetryableError("it broke")


def test_pauses_double_up_to_a_minute() -> None:
    assert [pause_after(LOST, failures, 1.0, 1.0) for failures in (0, 1, 2, 5, 6, 1000)] == [1, 2, 4, 32, 60, 60]


def test_pauses_are_drawn_from_half_to_all() -> None:
    assert (pause_after(LOST, 2, 1.0, 0.0), pause_after(LOST, 2, 1.0, 0.5)) == (2.0, 3.0)


def test_a_taken_connection_is_left_alone_for_longer() -> None:
    assert pause_after(ConnectionTakenError("taken"), 0, 1.0, 1.0) == 30.0


@pytest.mark.parametrize(
    ("now", "silent_for", "dead"),
    [
        (NOON, timedelta(minutes=2), False),
        (NOON, timedelta(minutes=4), True),
        (SESSION.opens_at + timedelta(minutes=2), timedelta(hours=9), False),
        (SESSION.opens_at + timedelta(minutes=4), timedelta(hours=9), True),
        (SESSION.closes_at, timedelta(minutes=4), False),
        (SESSION.opens_at - timedelta(hours=1), timedelta(hours=9), False),
    ],
)
def test_silence_counts_while_the_exchange_is_open(now: datetime, silent_for: timedelta, dead: bool) -> None:
    try:
        require_life(SESSION, now, now - silent_for, timedelta())
    except RetryableError:
        assert dead
    else:
        assert not dead


def test_a_delayed_feed_is_silent_for_longer_after_the_open_and_speaks_after_the_close() -> None:
    delay, before = timedelta(minutes=15), SESSION.opens_at - timedelta(hours=1)
    require_life(SESSION, SESSION.opens_at + timedelta(minutes=17), before, delay)
    for late in (SESSION.opens_at + timedelta(minutes=19), SESSION.closes_at + timedelta(minutes=14)):
        with pytest.raises(RetryableError):
            require_life(SESSION, late, before, delay)
