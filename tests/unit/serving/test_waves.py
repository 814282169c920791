"""Which quotes of a batch count."""

from datetime import date, timedelta

import msgspec
import pytest

from riskee.messaging.messages import Quote
from serving.consumers.waves import Waves
from tests.unit.messaging.samples import QUOTE

DAY = QUOTE.session_date
NEXT = DAY + timedelta(days=1)


def quote(ticker: str = "AAPL", sequence: int = 0, day: date = DAY, feed: str = "replay/1", received: int = 0) -> Quote:
    """A quote whose moment is its sequence, in seconds."""
    return msgspec.structs.replace(
        QUOTE,
        ticker=ticker,
        sequence=sequence,
        session_date=day,
        data_time=QUOTE.data_time + timedelta(days=(day - DAY).days, seconds=sequence),
        feed=feed,
        received_at=QUOTE.received_at + timedelta(seconds=received),
    )


def sequences(waves: Waves, *quotes: Quote) -> list[list[tuple[str, int]]]:
    split = []
    for wave in waves.split(quotes):
        waves.took(wave)
        split.append([(each.ticker, each.sequence) for each in wave])
    return split


def test_the_latest_quote_of_a_ticker_wins() -> None:
    split = sequences(Waves(), quote(sequence=0), quote("IBM", 2), quote(sequence=2), quote(sequence=1))
    assert split == [[("AAPL", 2), ("IBM", 2)]]


def test_no_quote_is_with_a_later_one_of_the_market() -> None:
    """A backlog in which one ticker fell silent."""
    backlog = [quote("SPX", 1), quote(sequence=1), quote("IBM", 1), quote("SPX", 2), quote("SPX", 3), quote(sequence=3)]
    assert sequences(Waves("SPX"), *backlog) == [[("SPX", 1), ("IBM", 1)], [("SPX", 3), ("AAPL", 3)]]


def test_quotes_of_different_moments_are_one_wave_between_two_of_the_market() -> None:
    live = [quote(sequence=1), quote("IBM", 2), quote("SPX", 3), quote("MSFT", 4), quote("GE", 3), quote("SPX", 6)]
    assert sequences(Waves("SPX"), *live) == [
        [("AAPL", 1), ("IBM", 2)],
        [("SPX", 3), ("MSFT", 4), ("GE", 3)],
        [("SPX", 6)],
    ]


def test_sessions_are_kept_apart_in_order() -> None:
    """The last quote of a session closes its bar: it counts although a later one is in the batch."""
    split = sequences(Waves(), quote(sequence=3), quote("IBM", sequence=3), quote(day=NEXT))
    assert split == [[("AAPL", 3), ("IBM", 3)], [("AAPL", 0)]]


def test_a_quote_delivered_again_is_predicted_again() -> None:
    waves = Waves()
    assert sequences(waves, quote(sequence=1)) == sequences(waves, quote(sequence=1))


def test_older_quotes_are_dropped() -> None:
    waves = Waves()
    sequences(waves, quote(sequence=2))
    assert sequences(waves, quote(sequence=1), quote(sequence=3, day=DAY - timedelta(days=1))) == []


def test_a_feed_that_was_left_does_not_come_back() -> None:
    waves = Waves()
    sequences(waves, quote(feed="replay/2", received=10))
    assert sequences(waves, quote(feed="replay/1", day=NEXT, received=5)) == []
    assert sequences(waves, quote(feed="replay/3", day=DAY, received=20)) == [[("AAPL", 0)]]


@pytest.mark.parametrize(
    ("feed", "day", "unknown", "expected"),
    [
        ("replay/1", DAY, set(), False),
        ("replay/1", NEXT, set(), False),
        ("replay/1", NEXT + timedelta(days=1), set(), True),
        ("replay/1", DAY - timedelta(days=1), set(), True),
        ("replay/2", DAY, set(), True),
        ("replay/1", DAY, {"NEW"}, True),
        ("replay/1", DAY, {"GHOST"}, False),
    ],
)
def test_when_the_state_must_be_built_anew(feed: str, day: date, unknown: set[str], expected: bool) -> None:
    waves = Waves()
    waves.rebuilt("replay/1", {"GHOST"})
    waves.advanced(DAY, NEXT)
    assert waves.must_rebuild(feed, day, unknown) is expected


def test_a_new_feed_forgets_the_quotes_of_the_old_one() -> None:
    waves = Waves()
    sequences(waves, quote())
    waves.rebuilt("replay/2", set())
    assert waves.latest == {}


def test_a_quote_is_outdated_once_a_later_one_was_taken() -> None:
    waves = Waves()
    waves.took([quote(sequence=2)])
    assert [waves.outdated(quote(sequence=number)) for number in (1, 2, 3)] == [True, False, False]
    assert not waves.outdated(quote("IBM", sequence=1))
