"""A bar told as quotes is still that bar."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.errors import PoisonError
from riskee.market.bars import Bar
from riskee.market.quotes import Tick
from riskee.market.replay import VOLUME_SHARES, WAVES, expand, feed_name
from riskee.market.sessions import Session

SESSION = Session(date(2012, 9, 6), datetime(2012, 9, 6, 13, 30, tzinfo=UTC), datetime(2012, 9, 6, 20, 0, tzinfo=UTC))
prices = st.floats(0.01, 1e6, allow_nan=False)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    open_, close, *extremes = draw(st.lists(prices, min_size=4, max_size=4))
    return Bar(
        "AAPL",
        SESSION.session_date,
        open_,
        max(open_, close, *extremes),
        min(open_, close, *extremes),
        close,
        draw(st.floats(0, 1e12)),
        draw(st.floats(0.001, 10)),
    )


def folded(ticks: tuple[Tick, ...]) -> Bar:
    """The bar that someone who only saw the prices would write down."""
    seen = [tick.price for tick in ticks]
    last = ticks[-1]
    return Bar(
        last.ticker,
        last.session_date,
        seen[0],
        max(seen),
        min(seen),
        seen[-1],
        last.volume,
        last.adjustment_factor,
    )


@given(bars())
def test_quotes_recompose_the_bar(bar: Bar) -> None:
    assert folded(expand(bar, SESSION, feed_name(1))) == bar


@given(bars())
def test_each_quote_is_the_running_bar(bar: Bar) -> None:
    ticks = expand(bar, SESSION, feed_name(1))
    for count in range(1, WAVES + 1):
        seen, now = [tick.price for tick in ticks[:count]], ticks[count - 1]
        assert (now.open, now.high, now.low) == (seen[0], max(seen), min(seen))
        assert now.volume == pytest.approx(bar.volume * VOLUME_SHARES[count - 1])
    assert [tick.final for tick in ticks] == [False] * (WAVES - 1) + [True]


@given(bars())
def test_quotes_come_in_order_within_the_session(bar: Bar) -> None:
    ticks = expand(bar, SESSION, feed_name(1))
    times = [tick.data_time for tick in ticks]
    assert times == sorted(set(times))
    assert (times[0], times[-1]) == (SESSION.opens_at, SESSION.closes_at)
    assert [tick.sequence for tick in ticks] == list(range(WAVES))
    assert [tick.volume for tick in ticks] == sorted(tick.volume for tick in ticks)


def test_the_low_comes_first_on_a_rising_day() -> None:
    rising = Bar("AAPL", SESSION.session_date, 10.0, 12.0, 9.0, 11.0, 100.0, 1.0)
    falling = Bar("AAPL", SESSION.session_date, 11.0, 12.0, 9.0, 10.0, 100.0, 1.0)
    assert [tick.price for tick in expand(rising, SESSION, "replay/1")] == [10.0, 9.0, 12.0, 11.0]
    assert [tick.price for tick in expand(falling, SESSION, "replay/1")] == [11.0, 12.0, 9.0, 10.0]


@pytest.mark.parametrize(
    "bar",
    [
        Bar("AAPL", SESSION.session_date, 10.0, 9.5, 9.0, 9.2, 1.0, 1.0),
        Bar("AAPL", SESSION.session_date, 10.0, 12.0, 10.5, 11.0, 1.0, 1.0),
        Bar("AAPL", SESSION.session_date, float("nan"), 12.0, 9.0, 11.0, 1.0, 1.0),
    ],
)
def test_an_impossible_bar_is_refused(bar: Bar) -> None:
    with pytest.raises(PoisonError, match="impossible"):
        expand(bar, SESSION, "replay/1")
