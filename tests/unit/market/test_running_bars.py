"""The running bar of a session, however its parts arrive."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.market.minutes import MINUTE, fold
from riskee.market.quotes import QuoteGate, Tick
from riskee.market.running_bars import MinuteBar, RunningBars, Snapshot, Trade
from riskee.market.sessions import Session, exchange_sessions
from riskee.messaging.messages import Quote

# A Friday in winter, a Monday in summer time; then the half day after Thanksgiving.
FRIDAY, MONDAY = exchange_sessions(date(2012, 3, 9), date(2012, 3, 12))
HALF_DAY = exchange_sessions(date(2012, 11, 23), date(2012, 11, 23))[0]
OPEN = FRIDAY.opens_at


def running(*sessions: Session, **options: object) -> RunningBars:
    return RunningBars("test", sessions or (FRIDAY, MONDAY), **options)  # type: ignore[arg-type]


def minute(number: int, low: float = 10.0, high: float = 11.0, volume: float = 100.0, revision: int = 0) -> MinuteBar:
    return MinuteBar(
        start=OPEN + number * MINUTE, open=low, high=high, low=low, close=high, volume=volume, revision=revision
    )


def trade(number: int, second: float, price: float, size: float = 100.0, conditions: str = "@") -> Trade:
    return Trade(("V", number), OPEN + timedelta(seconds=second), price, size, tuple(conditions))


def only(bars: RunningBars) -> Tick:
    (tick,) = bars.drain()
    return tick


def bar_of(tick: Tick) -> tuple[float, ...]:
    return tick.open, tick.high, tick.low, tick.price, tick.volume


def test_minutes_add_up_to_the_day() -> None:
    bars = running()
    for number, (low, high) in enumerate([(10.0, 11.0), (9.0, 10.5), (10.0, 12.0)]):
        assert bars.take_minute("A", minute(number, low, high))
        tick = only(bars)
        assert tick.data_time == OPEN + (number + 1) * MINUTE
    assert bar_of(tick) == (10.0, 12.0, 9.0, 12.0, 300.0)
    assert (tick.feed, tick.ticker, tick.session_date) == ("test", "A", FRIDAY.session_date)
    assert (tick.sequence, tick.final, tick.adjustment_factor) == (0, False, 1.0)


def test_of_each_ticker_the_latest_state_is_told_once() -> None:
    bars = running()
    for ticker in ("B", "A"):
        for number in range(3):
            bars.take_minute(ticker, minute(number))
    assert [(tick.ticker, tick.volume) for tick in bars.drain()] == [("B", 300.0), ("A", 300.0)]
    assert bars.drain() == []
    bars.take_minute("A", minute(1))
    assert bars.drain() == []


def test_a_late_minute_changes_the_bar_but_not_the_time() -> None:
    bars = running()
    bars.take_minute("A", minute(0))
    bars.take_minute("A", minute(2))
    first = only(bars)
    bars.take_minute("A", minute(1, 8.0, 13.0, 50.0))
    second = only(bars)
    assert bar_of(second) == (10.0, 13.0, 8.0, 11.0, 250.0)
    assert (second.data_time, second.sequence) == (first.data_time, 1)


def test_an_updated_bar_takes_the_place_of_its_minute_even_with_less_volume() -> None:
    bars = running()
    bars.take_minute("A", minute(0, 10.0, 20.0, 100.0))
    bars.take_minute("A", minute(0, 10.0, 11.0, 90.0, revision=1))
    bars.take_minute("A", minute(0, 10.0, 20.0, 100.0))
    assert bar_of(only(bars)) == (10.0, 11.0, 10.0, 11.0, 90.0)


@pytest.mark.parametrize(
    ("moment", "taken"),
    [
        (OPEN - MINUTE, False),
        (OPEN, True),
        (FRIDAY.closes_at - MINUTE, True),
        (FRIDAY.closes_at, False),
        (OPEN + timedelta(days=1), False),
        (MONDAY.opens_at - MINUTE, False),
        (MONDAY.opens_at, True),
        (HALF_DAY.closes_at - MINUTE, True),
        (HALF_DAY.closes_at, False),
    ],
)
def test_only_regular_hours_count(moment: datetime, taken: bool) -> None:
    bars = running(FRIDAY, MONDAY, HALF_DAY)
    assert bars.take_minute("A", replace(minute(0), start=moment)) is taken
    assert len(bars.drain()) == taken


def test_trades_make_minutes_by_their_conditions() -> None:
    bars = running()
    bars.take_trade("A", trade(1, 1.0, 10.0, conditions="@O"))
    bars.take_trade("A", trade(2, 2.0, 99.0, 5.0, conditions="@I"))
    bars.take_trade("A", trade(3, 3.0, 12.0))
    bars.take_trade("A", trade(4, 4.0, 1.0, 1000.0, conditions="@M"))
    tick = only(bars)
    assert bar_of(tick) == (10.0, 12.0, 10.0, 12.0, 205.0)
    assert tick.data_time == OPEN + timedelta(seconds=4)


def test_without_a_price_there_is_no_bar() -> None:
    bars = running()
    assert bars.take_trade("A", trade(1, 1.0, 10.0, conditions="@I"))
    assert bars.drain() == []


def test_the_bar_of_a_minute_counts_unless_its_trades_have_seen_more() -> None:
    bars = running()
    bars.take_trade("A", trade(1, 1.0, 10.0))
    bars.take_minute("A", minute(0, 9.0, 12.0, 250.0))
    assert only(bars).volume == 250.0
    bars.take_trade("A", trade(2, 59.9, 13.0, 100.0))
    assert bars.drain() == []
    bars.take_trade("A", trade(3, 59.8, 8.0, 100.0))
    assert bar_of(only(bars)) == (10.0, 13.0, 8.0, 13.0, 300.0)


def test_the_closing_print_belongs_to_the_last_minute() -> None:
    bars = running()
    bars.take_minute("A", minute(389))
    closing = replace(trade(1, 0.0, 12.5, 1000.0, "@6X"), time=FRIDAY.closes_at + timedelta(seconds=2))
    late = replace(closing, key=("V", 2), conditions=("@", "T"))
    assert bars.take_trade("A", closing)
    assert not bars.take_trade("A", late)
    tick = only(bars)
    assert (tick.price, tick.volume, tick.data_time) == (12.5, 1000.0, FRIDAY.closes_at)


def test_a_cancel_takes_its_trade_out_of_high_low_and_volume() -> None:
    bars = running()
    for number, price in ((1, 10.0), (2, 50.0), (3, 11.0)):
        bars.take_trade("A", trade(number, float(number), price))
    bars.take_minute("A", minute(0, 10.0, 50.0, 300.0))
    bars.drain()
    assert bars.cancel("A", ("V", 2), OPEN + timedelta(seconds=90))
    after = only(bars)
    assert bar_of(after) == (10.0, 11.0, 10.0, 11.0, 200.0)
    assert after.data_time == OPEN + timedelta(seconds=90)
    assert not bars.cancel("A", ("V", 2), OPEN)
    assert not bars.cancel("B", ("V", 2), OPEN)


def test_a_correction_keeps_the_time_of_the_trade() -> None:
    bars = running()
    for number, price in ((1, 10.0), (2, 50.0), (3, 11.0)):
        bars.take_trade("A", trade(number, float(number), price))
    bars.drain()
    assert bars.correct("A", ("V", 2), trade(9, 3600.0, 5.0, 40.0))
    after = only(bars)
    assert bar_of(after) == (10.0, 11.0, 5.0, 11.0, 240.0)
    assert after.data_time == OPEN + timedelta(hours=1)
    assert bars.correct("A", ("V", 9), trade(10, 3600.0, 6.0, 40.0))
    assert only(bars).low == 6.0


def test_a_correction_of_a_minute_with_missing_trades_asks_for_the_minutes() -> None:
    bars = running()
    bars.take_trade("A", trade(1, 30.0, 50.0))
    bars.take_minute("A", minute(0, 10.0, 50.0, 1000.0))
    bars.drain()
    assert not bars.cancel("A", ("V", 1), OPEN + MINUTE)
    assert only(bars).volume == 900.0
    bars.take_trade("A", trade(2, 61.0, 11.0))
    assert bars.restore("A", [minute(0, 10.0, 12.0, 890.0), replace(minute(0), start=OPEN - MINUTE)])
    assert bar_of(only(bars)) == (10.0, 12.0, 10.0, 11.0, 990.0)
    assert bars.cancel("A", ("V", 2), OPEN + 2 * MINUTE)


def test_trades_are_kept_for_a_while_only() -> None:
    bars = running(keep_trades=timedelta(minutes=2))
    bars.take_trade("A", trade(1, 1.0, 10.0))
    bars.take_trade("A", trade(2, 61.0, 12.0))
    bars.take_trade("A", trade(3, 260.0, 11.0))
    assert not bars.cancel("A", ("V", 1), OPEN)
    assert bars.cancel("A", ("V", 3), OPEN)
    bars.take_minute("A", minute(0, 9.0, 10.0, 150.0))
    assert bar_of(only(bars)) == (9.0, 12.0, 9.0, 12.0, 250.0)


def test_a_snapshot_stands_for_all_before_it() -> None:
    bars = running()
    for number in range(5):
        bars.take_minute("A", minute(number))
    told = Snapshot(time=OPEN + 2 * MINUTE, open=7.0, high=70.0, low=6.0, close=8.0, volume=1e6)
    assert bars.take_snapshot("A", told)
    tick = only(bars)
    assert bar_of(tick) == (7.0, 70.0, 6.0, 11.0, 1e6 + 300)
    assert tick.data_time == OPEN + 5 * MINUTE
    assert bars.take_snapshot("A", replace(told, time=OPEN + 6 * MINUTE, volume=2e6))
    assert bar_of(only(bars)) == (7.0, 70.0, 6.0, 8.0, 2e6)
    assert bars.take_snapshot("A", told)
    assert bars.drain() == []


def test_a_session_ends_with_a_final_quote_at_its_close() -> None:
    bars = running()
    bars.take_minute("A", minute(0))
    bars.take_snapshot("A", Snapshot(time=FRIDAY.closes_at + MINUTE, open=9.0, high=12.0, low=8.0, close=9.5, volume=7))
    bars.finish(FRIDAY.session_date)
    tick = only(bars)
    assert (tick.final, tick.data_time, bar_of(tick)) == (True, FRIDAY.closes_at, (9.0, 12.0, 8.0, 9.5, 7))
    bars.finish(FRIDAY.session_date)
    assert bars.drain() == []
    bars.take_snapshot("A", Snapshot(time=FRIDAY.closes_at + MINUTE, open=9.0, high=12.0, low=8.0, close=9.6, volume=7))
    again = only(bars)
    assert (again.final, again.data_time, again.sequence, again.price) == (True, FRIDAY.closes_at, 1, 9.6)


def test_a_later_session_ends_the_one_before() -> None:
    bars = running()
    bars.take_minute("A", minute(3))
    bars.take_minute("A", replace(minute(0, 20.0, 21.0), start=MONDAY.opens_at))
    friday, monday = bars.drain()
    assert (friday.final, friday.session_date, friday.data_time) == (True, FRIDAY.session_date, FRIDAY.closes_at)
    assert (monday.final, monday.session_date, monday.open) == (False, MONDAY.session_date, 20.0)
    assert not bars.take_minute("A", minute(4))


def test_a_sign_of_life_moves_the_time_of_the_bar() -> None:
    bars = running()
    bars.confirm("A", OPEN)
    bars.take_minute("A", minute(0))
    before = only(bars)
    bars.confirm("A", OPEN)
    bars.confirm("A", FRIDAY.closes_at)
    assert bars.drain() == []
    bars.confirm("A", OPEN + 5 * MINUTE)
    after = only(bars)
    assert (bar_of(after), after.data_time) == (bar_of(before), OPEN + 5 * MINUTE)


def test_a_quote_bears_the_factor_of_its_ticker() -> None:
    bars = running(factors={"A": 0.25})
    bars.take_minute("A", minute(0))
    assert only(bars).adjustment_factor == 0.25


def test_after_a_restart_quotes_go_on_after_the_last_one() -> None:
    bars = running()
    bars.take_minute("A", minute(0))
    gate = QuoteGate({"A"}, timedelta(hours=1))
    quote = gate.admit(only(bars), OPEN + timedelta(days=9))
    again = running()
    again.resume(quote)
    again.take_minute("A", minute(0))
    assert again.drain() == []
    again.take_minute("A", minute(0, 9.0))
    tick = only(again)
    assert (tick.data_time, tick.sequence) == (quote.data_time, quote.sequence + 1)
    assert isinstance(gate.admit(tick, OPEN + timedelta(days=9)), Quote)


def test_minutes_of_long_ago_may_still_change() -> None:
    bars = running(keep_trades=timedelta())
    for number in range(120):
        bars.take_minute("A", minute(number))
    bars.take_minute("A", minute(3, 8.0, 12.0, 50.0))
    bars.take_minute("A", minute(4, 7.0, 13.0, 50.0, revision=1))
    bars.take_minute("A", minute(120))
    assert bar_of(only(bars)) == (10.0, 13.0, 7.0, 11.0, 121 * 100.0 - 50.0)


def test_a_minute_that_is_none_of_the_grid_counts_all_the_same() -> None:
    bars = running(keep_trades=timedelta())
    for number in (0, 2, 3):
        bars.take_minute("A", replace(minute(number), start=OPEN + number * MINUTE + timedelta(seconds=7)))
    bars.take_minute("A", minute(9))
    assert only(bars).volume == 400.0


@st.composite
def vintages(draw: st.DrawFn) -> list[MinuteBar]:
    """Some minutes, some with several vintages, some more than once, in any order."""
    found = []
    for number in draw(st.lists(st.integers(0, 389), min_size=1, max_size=8)):
        prices = draw(st.lists(st.floats(1, 100), min_size=4, max_size=4))
        found.append(
            MinuteBar(
                start=OPEN + number * MINUTE,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[1],
                volume=float(draw(st.integers(1, 10_000))),
                revision=draw(st.integers(0, 1)),
            )
        )
    return draw(st.permutations(found + draw(st.lists(st.sampled_from(found), max_size=4))))


@given(vintages(), st.data())
def test_the_order_of_arrival_is_no_matter(arrived: list[MinuteBar], data: st.DataObject) -> None:
    bars, other = running(), running()
    gate = QuoteGate({"A"}, timedelta(days=1))
    for bar in arrived:
        bars.take_minute("A", bar)
        if data.draw(st.booleans()):
            for tick in bars.drain():
                gate.admit(tick, OPEN + timedelta(days=9))
    for bar in data.draw(st.permutations(arrived)):
        other.take_minute("A", bar)
    newest = {start: max((b for b in arrived if b.start == start), key=lambda b: b.vintage)
              for start in sorted({b.start for b in arrived})}  # fmt: skip
    for built in (bars, other):
        built.finish(FRIDAY.session_date)
        tick = built.drain()[-1]
        assert tick.open == next(iter(newest.values())).open
        assert tick.price == list(newest.values())[-1].close
        assert tick.high == max(bar.high for bar in newest.values())
        assert tick.low == min(bar.low for bar in newest.values())
        assert tick.volume == sum(bar.volume for bar in newest.values())


@given(
    st.lists(
        st.tuples(
            st.integers(0, 400), st.integers(1, 50), st.integers(1, 500), st.sampled_from(["@", "@I", "@M", "@T"])
        ),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_trades_in_any_order_with_any_cancels_give_the_bar_of_those_that_are_left(
    told: list[tuple[int, int, int, str]], data: st.DataObject
) -> None:
    trades = [trade(n, float(second), float(price), float(size), c) for n, (second, price, size, c) in enumerate(told)]
    cancelled = data.draw(st.sets(st.sampled_from(trades)))
    bars = running(keep_trades=timedelta(hours=1))
    for each in data.draw(st.permutations(trades)):
        bars.take_trade("A", each)
        if data.draw(st.booleans()):
            bars.drain()
    for each in cancelled:
        assert bars.cancel("A", each.key, each.time)
    bars.finish(FRIDAY.session_date)
    ticks = bars.drain()
    minutes: dict[int, list[Trade]] = {}
    for each in trades:
        if each not in cancelled:
            minutes.setdefault(int((each.time - OPEN) / MINUTE), []).append(each)
    spans = [span for number in sorted(minutes) if (span := fold(minutes[number]).span())]
    if not spans:
        assert ticks == []
        return
    assert bar_of(ticks[-1]) == (
        spans[0].open,
        max(span.high for span in spans),
        min(span.low for span in spans),
        spans[-1].close,
        sum(span.volume for span in spans),
    )


def test_times_are_those_of_the_exchange() -> None:
    assert (FRIDAY.opens_at.hour, MONDAY.opens_at.hour, HALF_DAY.closes_at.hour) == (14, 13, 18)
    assert datetime(2012, 3, 9, 14, 30, tzinfo=UTC) == OPEN
