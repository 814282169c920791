"""What repeats of a load say together, and backlogs."""

import msgspec
import numpy as np
import pytest

from serving.bench.drain import drained, recorded
from serving.bench.loads import side_by_side, together
from serving.bench.plan import Plan, Sent
from serving.bench.probe import Seen
from serving.bench.processes import CpuLog
from serving.bench.rig import Observed
from tests.unit.serving.bench.test_latency import START, plan

LOAD = plan(10, 100, 300)


def seen(load: Plan, wait: float) -> Seen:
    """Every quote has its effect everywhere after so many seconds."""
    effects = [(at % load.tickers, due, due + wait) for at, due in enumerate(load.due().tolist())]
    stored = [at for _, _, at in effects]
    return Seen(event=effects, stored=stored, websocket=effects, redis=effects[::10], database=effects[::20], unseen={})


def observed(wait: float = 0.005, lag: float = 0.5, load: Plan = LOAD) -> Observed:
    sent = Sent(
        sent=load.count,
        accepted=load.count,
        refused=0,
        first=START,
        last=START,
        lag_ms=(0.1, lag, lag),
        cpu_seconds=0.0,
    )
    return Observed(load, sent, seen(load, wait), {"predict": 0.03}, everything=True)


def test_the_median_of_the_repeats_counts() -> None:
    load = together("product", [observed(wait) for wait in (0.002, 0.004, 0.9)])
    assert load.latency["event"].p99 == pytest.approx(4, abs=0.1)
    assert load.cpu_us == {"predict": pytest.approx(100)}
    assert (load.repeats, load.events, load.lost, load.void) == (3, 300, 0, False)


def test_of_two_repeats_the_worse_counts() -> None:
    load = together("product", [observed(wait) for wait in (0.009, 0.004)])
    assert load.latency["event"].p99 == pytest.approx(9, abs=0.1)
    assert load.repeats == 2


def test_what_is_sampled_is_of_all_repeats_together() -> None:
    load = together("product", [observed(wait) for wait in (0.002, 0.004, 0.006)])
    one = together("product", [observed(0.002)])
    for place in ("redis", "database"):
        assert load.latency[place].count == 3 * one.latency[place].count
        assert [load.latency[place].p50, load.latency[place].most] == pytest.approx([4, 6], abs=0.1)
    assert load.latency["event"].count == one.latency["event"].count


def test_the_first_second_does_not_count() -> None:
    assert together("product", [observed()]).latency["event"].count == 200


def test_a_repeat_whose_generator_lagged_is_left_out() -> None:
    load = together("product", [observed(0.002), observed(0.03, lag=20)])
    assert (load.repeats, load.void) == (1, False)
    assert load.latency["event"].p50 == pytest.approx(2, abs=0.1)


def test_where_the_generator_always_lagged_the_load_is_void() -> None:
    assert together("product", [observed(0.03, lag=20)]).void


def test_a_lag_that_is_small_beside_what_was_measured_does_no_harm() -> None:
    assert not together("product", [observed(3.0, lag=20)]).void


def test_of_a_burst_no_quote_but_the_first_is_in_time() -> None:
    assert not together("product", [observed(0.03, lag=20, load=plan(300, 0, 300))]).void


def test_what_is_missing_or_refused_is_told() -> None:
    whole = observed()
    cut = msgspec.structs.replace(whole.seen, event=whole.seen.event[:-10], stored=whole.seen.stored[:-10])
    refused = msgspec.structs.replace(whole.sent, accepted=299, refused=1)
    load = together("product", [Observed(whole.plan, refused, cut, whole.cpu, everything=True)])
    assert (load.missing["event"], load.events, load.refused) == (10, 290, 1)


class _Log(CpuLog):
    """A second of predict for every second."""

    def between(self, first: float, last: float) -> dict[str, float]:
        return {"predict": last - first}


def test_a_backlog_is_rated_by_what_came_after_its_first_tenth() -> None:
    slow_start = np.concatenate([np.linspace(5, 10, 100), np.linspace(10, 10.9, 901)[1:]]) + START
    backlog = plan(10, 100, 1000)
    found = msgspec.structs.replace(seen(backlog, 0.1), stored=slow_start.tolist())
    drain = drained("predict", backlog, observed().sent, found, _Log({}), START + 1)
    assert (drain.messages, drain.done) == (1000, 1000)
    assert drain.a_second == pytest.approx(1000, rel=0.01)
    assert drain.cpu_us["predict"] == pytest.approx(1000, rel=0.01)
    assert drain.first_after == pytest.approx(4, abs=0.01)


def test_a_backlog_of_which_nothing_came_is_told_too() -> None:
    nothing = Seen(event=[], stored=[], websocket=[], redis=[], database=[], unseen={})
    drain = drained("predict", LOAD, observed().sent, nothing, _Log({}), START)
    assert (drain.done, drain.a_second, drain.first_after) == (0, 0, None)


def test_of_a_backlog_different_events_count_and_each_quote_without_one_is_missing() -> None:
    whole = seen(LOAD, 0.1)
    twice = msgspec.structs.replace(whole, event=[*whole.event[:-10], *whole.event[:10]])
    drain = drained("predict", LOAD, observed().sent, twice, _Log({}), None)
    assert (len(twice.event), drain.done, drain.missing) == (300, 290, 10)


def test_of_rows_the_databases_count_counts() -> None:
    drain = recorded("record", 200, 199, 5000.0, {"record": 0.01})
    assert (drain.messages, drain.done, drain.missing) == (200, 199, 1)


def test_a_void_turn_counts_for_no_half_of_it() -> None:
    turns = [
        [observed(0.002), observed(0.004)],
        [observed(0.003, lag=20), observed(0.5)],
        [observed(0.004), observed(0.006)],
    ]
    floor, product = side_by_side(["floor", "product"], turns)
    assert (floor.repeats, product.repeats, floor.void, product.void) == (2, 2, False, False)
    assert [turn.p99 for turn in product.turns] == pytest.approx([4, 6], abs=0.1)
    assert all(load.void for load in side_by_side(["floor", "product"], turns[1:2]))


@pytest.mark.parametrize("place", ["websocket", "redis", "database"])
def test_what_was_never_seen_in_a_place_is_told(place: str) -> None:
    whole = observed()
    if place == "websocket":
        cut = msgspec.structs.replace(whole.seen, websocket=whole.seen.websocket[:-3])
    else:
        cut = msgspec.structs.replace(whole.seen, unseen={place: 3})
    load = together("product", [Observed(whole.plan, whole.sent, cut, whole.cpu, everything=True)])
    assert load.missing[place] == load.lost == 3
