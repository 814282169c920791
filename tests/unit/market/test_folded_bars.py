"""Rows folded to running bars: the bar so far with each row, final at the close, the same after a restart."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.errors import PoisonError
from riskee.market.folded_bars import Fold, FoldedBars
from riskee.market.minutes import Span
from riskee.market.quotes import QuoteGate, Tick
from riskee.market.sessions import Session
from riskee.market.sources.live_rows import LiveRow

OPENS = datetime(2019, 2, 14, 14, 30, tzinfo=UTC)
SESSIONS = [
    Session((OPENS + timedelta(days=n)).date(), OPENS + timedelta(days=n), OPENS + timedelta(days=n, hours=6.5))
    for n in range(2)
]


def tick(seconds: float, price: float, size: float = 1, ticker: str = "V") -> LiveRow:
    span = Span(open=price, high=price, low=price, close=price, volume=size)
    return LiveRow(ticker, OPENS + timedelta(seconds=seconds), span, is_bar=False)


def bar(minutes: int, price: float, ticker: str = "V") -> LiveRow:
    span = Span(open=price, high=price + 1, low=price - 1, close=price + 0.5, volume=10)
    return LiveRow(ticker, OPENS + timedelta(minutes=minutes), span, is_bar=True)


def folded() -> FoldedBars:
    return FoldedBars("file", SESSIONS, {"V": 0.5})


def numbers(made: Tick) -> tuple[float, ...]:
    return (made.open, made.high, made.low, made.price, made.volume)


def test_each_row_gives_the_bar_so_far() -> None:
    bars = folded()
    told = [bars.take(row) for row in (tick(1, 10), tick(2, 12), tick(2, 9), tick(70, 11, 5))]
    assert [numbers(made) for made in told] == [
        (10, 10, 10, 10, 1), (10, 12, 10, 12, 2), (10, 12, 9, 9, 3), (10, 12, 9, 11, 8),
    ]  # fmt: skip
    assert [made.sequence for made in told] == [0, 0, 1, 0]
    assert {made.adjustment_factor for made in told} == {0.5}


def test_the_close_makes_each_bar_final_once() -> None:
    bars = folded()
    bars.take(bar(390, 10))
    bars.take(tick(5, 20, ticker="T"))
    final = bars.finish(SESSIONS[0])
    assert [(made.ticker, made.data_time, made.sequence, made.final) for made in final] == [
        ("V", SESSIONS[0].closes_at, 1, True),
        ("T", SESSIONS[0].closes_at, 0, True),
    ]
    assert bars.finish(SESSIONS[0]) == []


def test_a_late_row_of_a_closed_session_changes_its_final_bar() -> None:
    bars = folded()
    bars.take(bar(388, 10))
    bars.finish(SESSIONS[0])
    late = bars.take(bar(389, 20))
    assert (late.final, late.data_time, late.sequence, late.high) == (True, SESSIONS[0].closes_at, 1, 21)


def test_a_bar_belongs_to_the_minute_before_its_time() -> None:
    """The minute before the opening ends at the opening, and is not of the session."""
    with pytest.raises(PoisonError, match="no session"):
        folded().take(bar(0, 10))
    assert folded().take(bar(1, 10)).open == 10
    assert folded().take(tick(0, 10)).open == 10
    assert folded().take(bar(390, 10)).data_time == SESSIONS[0].closes_at


def test_bars_of_earlier_sessions_are_forgotten() -> None:
    bars = folded()
    bars.take(tick(1, 10))
    bars.forget_before(SESSIONS[0].session_date)
    assert bars.folds
    bars.forget_before(SESSIONS[1].session_date)
    assert not bars.folds


def test_a_new_session_begins_a_new_bar() -> None:
    bars = folded()
    bars.take(bar(390, 10))
    assert numbers(bars.take(bar(24 * 60 + 1, 50))) == (50, 51, 49, 50.5, 10)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (bar(2, 10), "comes after"),
        (bar(1, 10), "comes after"),
        (tick(119, 10), "comes after"),
        (tick(-1, 10), "there is no session"),
        (bar(391, 10), "there is no session"),
    ],
)
def test_rows_that_cannot_be_placed_are_refused(row: LiveRow, reason: str) -> None:
    bars = folded()
    bars.take(bar(2, 10))
    with pytest.raises(PoisonError, match=reason):
        bars.take(row)
    assert numbers(bars.take(bar(3, 11)))[-1] == 20, "a refused row counts nowhere"


rows = st.lists(st.tuples(st.integers(0, 23400), st.integers(1, 100), st.sampled_from("VT")), max_size=30)


@given(rows, st.integers(0, 30))
def test_a_restart_from_the_stored_state_tells_the_same(made: Sequence[tuple[int, int, str]], at: int) -> None:
    told = [tick(seconds, price, ticker=ticker) for seconds, price, ticker in sorted(made)]
    whole, first, second = folded(), folded(), folded()
    expected = [whole.take(row) for row in told]
    before = [first.take(row) for row in told[:at]]
    stored = msgspec.json.encode(list(first.folds.values()))
    second.restore(msgspec.json.decode(stored, type=list[Fold]))
    assert before + [second.take(row) for row in told[at:]] == expected
    gate = QuoteGate({"V", "T"}, timedelta(days=1))
    for one in expected + whole.finish(SESSIONS[0]):
        gate.admit(one, SESSIONS[1].closes_at)
