"""What was aimed at, beside what was measured: the bars of the live path, and every target of the owner's document."""

from collections.abc import Iterator

import msgspec

from serving.bench.loads import Load
from serving.bench.market import LEAVES, TREES
from serving.bench.result import Measured

PAIR_RATE = 1000
"""The rate at which the product is held against the floor."""
PREDICT, RECORD, FLOOR = "predict, each quote of its own time", "record", "floor, each quote of its own time"
# Steps of `serving.bench.kernel`.
UPDATE_STEPS = ("update running bars",)
WAVE_STEPS = (
    "technical features",
    "earnings features, within a session",
    f"model of {TREES} trees of {LEAVES} leaves, intervals, P(up)",
)
WHOLE_WAVE_STEPS = ("finished predictions",)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A bound and what was measured, in `unit`; None: not measured in this run, `note` says where it is."""

    what: str
    bound: float
    unit: str
    measured: float | None
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the bound; below 1 it is missed."""
        if self.measured is None:
            return None
        better, worse = (self.measured, self.bound) if self.at_least else (self.bound, self.measured)
        return round(better / worse, 2) if worse else None

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


def bars(measured: Measured) -> list[Target]:
    """The bars of the live path."""
    return [
        *_against_floor(measured),
        *_drains(measured),
        *_backlog_cpu(measured),
        *_kernel(measured),
        *_start(measured),
    ]


def _against_floor(measured: Measured) -> Iterator[Target]:
    for name in ("product", "predict alone"):
        pair = measured.pair(name, PAIR_RATE)
        if pair is None:
            continue
        load, floor = pair
        mine, bare = load.latency["event"], floor.latency["event"]
        where = f"{name}, {PAIR_RATE:,}/s"
        ratio = round(mine.p99 / bare.p99, 2)
        spent = round(load.cpu_us["predict"] / floor.cpu_us["floor"], 2)
        yield Target(what=f"{where}: p99 to the durable event against the floor's", bound=2.0, unit="x", measured=ratio)
        yield Target(what=f"{where}: predict's CPU a quote against the floor's", bound=1.5, unit="x", measured=spent)
        yield Target(what=f"{where}: p99 to the durable event (aim)", bound=6.0, unit="ms", measured=mine.p99)
        yield Target(what=f"{where}: p99.9 to the durable event", bound=50.0, unit="ms", measured=mine.p999)


def _drains(measured: Measured) -> Iterator[Target]:
    for what, bound, unit in ((PREDICT, 8000.0, "events/s"), (RECORD, 5000.0, "rows/s")):
        if drain := measured.drain(what):
            yield Target(what=f"backlog: {what}", bound=bound, unit=unit, measured=drain.a_second, at_least=True)
            lost = float(max(each.messages - each.done for each in measured.drains if each.what == what))
            yield Target(what=f"backlog: {what}, lost", bound=0.0, unit="messages", measured=lost)


def _backlog_cpu(measured: Measured) -> Iterator[Target]:
    """By the rate of a backlog the batches are full, with product and floor alike."""
    mine, bare = measured.drain(PREDICT), measured.drain(FLOOR)
    if mine and bare and bare.cpu_us.get("floor"):
        ratio = round(mine.cpu_us["predict"] / bare.cpu_us["floor"], 2)
        yield Target(what="backlog: predict's CPU an event against the floor's", bound=1.5, unit="x", measured=ratio)


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


def owners(measured: Measured) -> list[Target]:
    """Every performance target of the owner's document."""
    return [*_whole(measured), *_database(measured), *_cache_and_bus(measured), *_others()]


def _whole(measured: Measured) -> Iterator[Target]:
    loads = [load for load in measured.loads if load.target == "product"]
    pair = measured.pair("product", PAIR_RATE)
    frame = pair[0].latency.get("websocket") if pair else None
    yield Target(
        what=f"end to end, quote to WebSocket frame, p99 at {PAIR_RATE:,}/s",
        bound=1000,
        unit="ms",
        measured=frame.p99 if frame else None,
    )
    most = max((load.tickers for load in loads if not load.missing), default=None)
    yield Target(what="tickers at once", bound=100, unit="tickers", measured=most, at_least=True)
    drain = measured.drain(PREDICT)
    yield Target(
        what="predictions of one process",
        bound=100,
        unit="a second",
        measured=drain.a_second if drain else None,
        at_least=True,
    )
    limits = measured.limits
    yield Target(
        what="10 users at once, each answer of `GET /predict`, p95",
        bound=1000,
        unit="ms",
        measured=limits.api_ms if limits else None,
    )


def _database(measured: Measured) -> Iterator[Target]:
    limits, record = measured.limits, measured.drain(RECORD)
    yield Target(
        what="database: inserted rows (half of them predictions)",
        bound=1000,
        unit="a second",
        measured=record.a_second if record else None,
        at_least=True,
    )
    for what, value in (
        ("the latest prediction of a ticker", limits.latest_ms if limits else None),
        ("the latest prediction of every ticker", limits.all_latest_ms if limits else None),
        ("24 hours of one ticker", limits.day_ms if limits else None),
    ):
        yield Target(what=f"database: {what}, p95", bound=100, unit="ms", measured=value)
    yield Target(
        what="database: compression",
        bound=10,
        unit=": 1",
        measured=None,
        at_least=True,
        note="by TimescaleDB's Community edition, which the embedded stack cannot have",
    )


def _cache_and_bus(measured: Measured) -> Iterator[Target]:
    limits = measured.limits
    yield Target(what="Redis: one read, p95", bound=2, unit="ms", measured=limits.redis_ms if limits else None)
    yield Target(
        what="Redis: the API's hits",
        bound=80,
        unit="%",
        measured=100 * limits.hit_rate if limits else None,
        at_least=True,
    )
    for what, value in (
        ("Redis: reads in pipelines of 100", limits.redis_operations if limits else None),
        ("NATS: messages into a stream on disk", limits.nats_messages if limits else None),
    ):
        yield Target(what=what, bound=10_000, unit="a second", measured=value, at_least=True)
    yield Target(
        what="NATS: publication to its acknowledgement, p95",
        bound=10,
        unit="ms",
        measured=limits.nats_ms if limits else None,
    )


def _others() -> Iterator[Target]:
    elsewhere = "not of the live path: see Documents"
    yield Target(what="vectors: search, p95", bound=50, unit="ms", measured=None, note=elsewhere)
    yield Target(what="vectors: inserted", bound=1000, unit="a second", measured=None, at_least=True, note=elsewhere)
    yield Target(what="vectors: in a collection", bound=100_000, unit="", measured=None, at_least=True, note=elsewhere)
    yield Target(
        what="language model: 500 tokens",
        bound=30,
        unit="s",
        measured=None,
        note="not of the live path: bounded by RISKEE_LLM__TIMEOUT_SECONDS, the template answers then",
    )
    yield Target(
        what="language model: requests at once",
        bound=2,
        unit="",
        measured=None,
        at_least=True,
        note="RISKEE_LLM__CONCURRENCY is 2",
    )


def void_loads(measured: Measured) -> list[Load]:
    """Loads whose generator was not able to keep its times: they say nothing."""
    return [load for load in measured.loads if load.void]
