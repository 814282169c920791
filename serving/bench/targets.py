"""What was aimed at, beside what was measured: the bars of the live path."""

import math
from collections.abc import Iterator, Sequence

import msgspec

from serving.bench.latency import FEWEST_ABOVE, Latency
from serving.bench.loads import SERVING, WHOLE, Load
from serving.bench.market import LEAVES, TREES
from serving.bench.ratios import listed, told
from serving.bench.result import Measured
from serving.bench.target import Target

PAIR_RATE = 1000
"""The rate at which the product is held against the floor."""
ALL_SERVICES = SERVING[0]
LATENCY_BOUND = 2.0
FOLLOWING = ("record", "api", "postgres")
VOID = "void: the generator lagged"
TOO_FEW = f"fewer than {FEWEST_ABOVE} values are above it"
PREDICT, RECORD, FLOOR = "predict, each quote of its own time", "record", "floor, each quote of its own time"
PREDICT_BESIDE, RECORD_BESIDE = "predict beside record", "record beside predict"
USUAL_FLOOR = f"floor as usually written{FLOOR.removeprefix('floor')}"
# Steps of `serving.bench.kernel`.
UPDATE_STEPS = ("update running bars",)
WAVE_STEPS = (
    "technical features",
    "earnings features, within a session",
    f"model of {TREES} trees of {LEAVES} leaves, intervals, P(up)",
)
WHOLE_WAVE_STEPS = ("finished predictions",)


def bars(measured: Measured) -> list[Target]:
    """The bars of the live path."""
    return [
        *_against_floor(measured),
        *_observed_everywhere(measured),
        *_loss(measured),
        *_drains(measured),
        *_backlog_cpu(measured),
        *_kernel(measured),
        *_start(measured),
    ]


def _against_floor(measured: Measured) -> Iterator[Target]:
    for name in (ALL_SERVICES, "predict alone"):
        if pair := measured.pair(name, PAIR_RATE):
            yield from _of_pair(f"{name}, {PAIR_RATE:,}/s", *pair)


def percentile(what: str, bound: float, latency: Latency | None, at: float, note: str = "") -> Target:
    """A bound of a percentile in milliseconds, which is not judged where the values do not carry it."""
    measured = latency.at(at) if latency else None
    few = TOO_FEW if latency and measured is None else ""
    return Target(what=what, bound=bound, unit="ms", measured=measured, note=note or few)


def of_product(measured: Measured) -> list[Load]:
    """The product at the rate of the pair, in markets of every size, with a WebSocket client that listens and Redis and
    the database asked for a sample."""
    return [load for load in measured.loads if (load.target, load.rate) == (WHOLE[0], PAIR_RATE)]


def worst(what: str, bound: float, loads: Sequence[Load], place: str, at: float) -> Target:
    """A bound of a percentile in the worst of these markets, which is named; not judged where one of them is void or
    does not carry it, for that may be the worst."""
    seen = {load.tickers: load.latency[place] for load in loads if place in load.latency}
    tickers = max(seen, key=lambda each: seen[each].at(at) or math.inf, default=0)
    void = any(load.void for load in loads)
    found = percentile(what, bound, None if void else seen.get(tickers), at, VOID if void else "")
    if found.measured is None:
        return found
    named = f"{tickers:,} tickers, the worst of {len(seen)} markets"
    return msgspec.structs.replace(found, detail=named)


def _observed_everywhere(measured: Measured) -> Iterator[Target]:
    if loads := of_product(measured):
        yield worst(f"{WHOLE[0]}, {PAIR_RATE:,}/s: p99.9 to the durable event", 50.0, loads, "event", 99.9)


def _of_pair(where: str, load: Load, floor: Load) -> Iterator[Target]:
    """Ratios of the same turn: what else the machine did met both halves, or is seen in one turn only."""
    event, bare_event = load.latency.get("event"), floor.latency.get("event")
    void = load.void or floor.void or event is None
    turns = [] if void else list(zip(load.turns, floor.turns, strict=True))
    few = not void and any(latency is None or latency.at(99) is None for latency in (event, bare_event))
    ratios = [] if few else [mine.p99 / bare.p99 for mine, bare in turns]
    spent = [mine.cpu_us["predict"] / bare.cpu_us["floor"] for mine, bare in turns if bare.cpu_us["floor"]]
    ratio, note = told(ratios), VOID if void else ""
    late = ratio is not None and ratio > LATENCY_BOUND
    larger = f"not judged at {told(spent)} x: it is late, so its batches are larger than the floor's"
    p99 = f"{where}: p99 to the durable event"
    yield Target(
        what=f"{p99} against the floor's",
        bound=LATENCY_BOUND,
        unit="x",
        measured=ratio,
        note=note or (TOO_FEW if few else ""),
        detail="; ".join(filter(None, (listed(ratios), "" if void else _followed(load, floor)))),
    )
    yield Target(
        what=f"{where}: predict's CPU a quote against the floor's",
        bound=1.5,
        unit="x",
        measured=None if late else told(spent),
        note=larger if late else note,
        detail=listed(spent),
    )
    yield percentile(f"{p99} (aim)", 6.0, None if void else event, 99, note)
    yield percentile(f"{where}: p99.9 to the durable event", 50.0, None if void else event, 99.9, note)


def _followed(load: Load, floor: Load) -> str:
    """What the services take from predict that store and tell an event: those of the floor nobody reads."""
    more = round(sum(load.cpu_us.get(name, 0.0) - floor.cpu_us.get(name, 0.0) for name in FOLLOWING))
    took = f"{', '.join(FOLLOWING[:-1])} and {FOLLOWING[-1]} took"
    return f"{took} {more:,} us a quote more than beside the floor" if more > 0 else ""


def _loss(measured: Measured) -> Iterator[Target]:
    """Over every load and burst, the void ones too: a generator that is late loses nothing."""
    loads = [*measured.loads, *measured.bursts, *measured.openings]
    if loads:
        lost = float(sum(load.lost for load in loads))
        yield Target(what="loads and bursts: missing and refused", bound=0.0, unit="quotes", measured=lost)


def _drains(measured: Measured) -> Iterator[Target]:
    for what, where, bound, unit in (
        (PREDICT, "predict, record stopped", 8000.0, "events/s"),
        (PREDICT_BESIDE, PREDICT_BESIDE, 8000.0, "events/s"),
        (RECORD, "record, predict idle", 5000.0, "rows/s"),
        (RECORD_BESIDE, RECORD_BESIDE, 5000.0, "rows/s"),
    ):
        if drain := measured.drain(what):
            of = f"of {drain.messages:,}"
            yield Target(
                what=f"backlog: {where}", bound=bound, unit=unit, measured=drain.a_second, at_least=True, detail=of
            )
    if measured.drains:
        lost = float(sum(drain.missing + drain.refused for drain in measured.drains))
        yield Target(what="backlogs: missing and refused", bound=0.0, unit="messages", measured=lost)


def _backlog_cpu(measured: Measured) -> Iterator[Target]:
    """By the rate of a backlog the batches are full, with product and floor alike; of the same turns."""
    for whose, what in (("the bare floor's", FLOOR), ("that of the floor as usually written", USUAL_FLOOR)):
        mine, bare = ([each for each in measured.drains if each.what == name] for name in (PREDICT, what))
        ratios = [
            product.cpu_us["predict"] / floor.cpu_us["floor"]
            for product, floor in zip(mine, bare, strict=False)
            if floor.cpu_us.get("floor")
        ]
        if mine:
            yield Target(
                what=f"backlog: predict's CPU an event against {whose}",
                bound=1.5,
                unit="x",
                measured=told(ratios),
                detail=listed(ratios),
            )


def _kernel(measured: Measured) -> Iterator[Target]:
    most = max((timing.tickers for timing in measured.kernel), default=0)
    spent = {timing.step: timing.milliseconds for timing in measured.kernel if timing.tickers == most}
    for what, steps, bound in (
        ("features, prediction, intervals and P(up)", WAVE_STEPS, 60.0),
        ("the same and finished predictions, in waves of predict's size", WHOLE_WAVE_STEPS, 60.0),
        ("update", UPDATE_STEPS, 1.0),
    ):
        if spent.keys() >= set(steps):
            yield Target(
                what=f"kernel, {most:,} tickers on one core: {what}",
                bound=bound,
                unit="ms",
                measured=round(sum(spent[step] for step in steps), 3),
            )


def _start(measured: Measured) -> Iterator[Target]:
    if (drain := measured.drain(PREDICT)) and drain.first_after is not None:
        yield Target(what="start of predict to its first event", bound=10.0, unit="s", measured=drain.first_after)
    if "predict" in measured.memory_mib:
        yield Target(what="memory of predict", bound=400.0, unit="MiB", measured=measured.memory_mib["predict"])
