"""Latency of quotes from what was seen of them."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.bench.latency import latency_of, until_seen
from serving.bench.plan import Plan

START = 1_795_000_000.0


def plan(tickers: int, rate: float, count: int) -> Plan:
    return Plan(
        subject="q",
        stream="S",
        feed="bench",
        session_date=date(2026, 11, 20),
        tickers=tickers,
        rate=rate,
        count=count,
        start=START,
    )


def test_each_quote_waits_for_its_own_event() -> None:
    load = plan(2, 10, 4)
    seen = [(at % 2, float(due), float(due) + 0.001 * (at + 1)) for at, due in enumerate(load.due())]
    assert until_seen(load, seen) * 1000 == pytest.approx([1, 2, 3, 4], abs=0.01)


def test_a_coalesced_quote_has_waited_for_the_one_that_replaced_it() -> None:
    load = plan(1, 10, 3)
    last = float(load.due()[-1])
    assert until_seen(load, [(0, last, last + 0.005)]) * 1000 == pytest.approx([205, 105, 5], abs=0.01)


def test_an_event_of_an_earlier_quote_or_of_another_ticker_is_no_answer() -> None:
    load = plan(2, 10, 4)
    first = float(load.due()[0])
    assert np.isinf(until_seen(load, [(0, first, first + 1)])).tolist() == [False, True, True, True]
    assert np.isinf(until_seen(load, [])).all()


def test_of_two_events_the_earlier_one_counts() -> None:
    load = plan(1, 10, 1)
    due = float(load.due()[0])
    assert until_seen(load, [(0, due, due + 0.5), (0, due, due + 0.2)])[0] == pytest.approx(0.2, abs=1e-5)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 29), st.floats(0.001, 50)), max_size=60))
def test_it_is_what_a_search_through_everything_finds(effects: list[tuple[int, int, float]]) -> None:
    load = plan(5, 100, 30)
    due = load.due().tolist()
    seen = [(number, due[at], due[at] + after) for number, at, after in effects]
    wanted = [
        min((at for number, moment, at in seen if number == quote % 5 and moment >= due[quote]), default=np.inf)
        - due[quote]
        for quote in range(load.count)
    ]
    assert until_seen(load, seen) == pytest.approx(wanted, abs=1e-5)


def test_percentiles_are_of_all_values() -> None:
    latency = latency_of(np.arange(1.0, 1001.0))
    assert latency is not None
    assert (latency.count, latency.p50, latency.most) == (1000, 500.5, 1000)
    assert latency.p99 == pytest.approx(990, abs=0.5)
    assert latency_of(np.array([])) is None
