"""Only believable quotes pass the gate; each refusal names its fault."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.ids import quote_id
from riskee.market.quotes import Fault, QuoteGate, QuoteRefusedError, Tick

OPEN = datetime(2012, 9, 6, 13, 30, tzinfo=UTC)
NOW = datetime(2026, 1, 5, tzinfo=UTC)
TICK = Tick(
    feed="replay/1",
    ticker="AAPL",
    data_time=OPEN,
    session_date=date(2012, 9, 6),
    sequence=0,
    price=10.0,
    open=10.0,
    high=10.5,
    low=9.5,
    volume=100.0,
)


def changed(**changes: object) -> Tick:
    return msgspec.structs.replace(TICK, **changes)


def gate(max_age: timedelta | None = None) -> QuoteGate:
    return QuoteGate({"AAPL", "IBM", "not a ticker"}, timedelta(seconds=60), max_age)


def fault(subject: QuoteGate, tick: Tick, now: datetime = NOW) -> Fault:
    with pytest.raises(QuoteRefusedError) as refused:
        subject.admit(tick, now)
    assert refused.value.remedy
    return refused.value.fault


def test_a_good_tick_becomes_a_quote_with_its_identity() -> None:
    quote = gate().admit(TICK, NOW)
    assert (quote.ticker, quote.price, quote.received_at) == ("AAPL", 10.0, NOW)
    assert quote.quote_id == quote_id("replay/1", "AAPL", OPEN, 0)


@pytest.mark.parametrize(
    ("tick", "expected"),
    [
        (changed(price=-1.0), Fault.NEGATIVE_PRICE),
        (changed(low=0.0), Fault.NEGATIVE_PRICE),
        (changed(price=float("nan")), Fault.MALFORMED),
        (changed(volume=float("inf")), Fault.MALFORMED),
        (changed(volume=-1.0), Fault.MALFORMED),
        (changed(price=11.0), Fault.MALFORMED),
        (changed(data_time=datetime(2012, 9, 6)), Fault.MALFORMED),  # noqa: DTZ001 (that is the fault)
        (changed(ticker="MSFT"), Fault.UNKNOWN_TICKER),
        (changed(ticker="not a ticker"), Fault.MALFORMED),
    ],
)
def test_bad_content_is_refused(tick: Tick, expected: Fault) -> None:
    assert fault(gate(), tick) is expected


def test_the_same_quote_twice_is_a_duplicate() -> None:
    subject = gate()
    subject.admit(TICK, NOW)
    assert fault(subject, TICK) is Fault.DUPLICATE


def test_going_back_in_time_is_out_of_order() -> None:
    subject = gate()
    subject.admit(changed(data_time=OPEN + timedelta(seconds=5), sequence=1), NOW)
    assert fault(subject, TICK) is Fault.OUT_OF_ORDER


def test_a_ticker_that_lags_behind_the_feed_is_stale() -> None:
    subject = gate()
    subject.admit(changed(data_time=OPEN + timedelta(hours=1)), NOW)
    assert fault(subject, changed(ticker="IBM")) is Fault.STALE


def test_a_live_feeds_old_quote_is_stale() -> None:
    assert fault(gate(timedelta(minutes=1)), TICK, OPEN + timedelta(minutes=2)) is Fault.STALE


def test_a_quote_of_the_future_is_refused() -> None:
    assert fault(gate(), TICK, OPEN - timedelta(minutes=2)) is Fault.FUTURE
    assert gate().admit(TICK, OPEN - timedelta(seconds=30)), "clocks differ a little"


def test_a_refused_quote_leaves_no_trace() -> None:
    subject = gate()
    fault(subject, changed(price=-1.0))
    assert subject.admit(TICK, NOW).sequence == 0


@given(st.lists(st.tuples(st.sampled_from(["AAPL", "IBM"]), st.integers(0, 5)), max_size=30))
def test_what_passes_is_in_order_without_repetition(arrivals: list[tuple[str, int]]) -> None:
    subject, passed = gate(), []
    for ticker, second in arrivals:
        tick = changed(ticker=ticker, data_time=OPEN + timedelta(seconds=second), sequence=second)
        try:
            passed.append(subject.admit(tick, NOW))
        except QuoteRefusedError:
            continue
    for ticker in ("AAPL", "IBM"):
        sequences = [quote.sequence for quote in passed if quote.ticker == ticker]
        assert sequences == sorted(set(sequences))
