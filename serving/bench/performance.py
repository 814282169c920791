"""The performance targets, beside what was measured."""

from collections.abc import Iterator

from serving.bench import elsewhere
from serving.bench.result import Measured
from serving.bench.target import Target
from serving.bench.targets import PAIR_RATE, PREDICT_BESIDE, RECORD, VOID, of_product, worst


def performance(measured: Measured) -> list[Target]:
    """Every performance target: measured in this run, elsewhere, or not here and why."""
    return [
        *_whole(measured),
        *_database(measured),
        *_cache_and_bus(measured),
        *elsewhere.vectors(),
        *elsewhere.language_model(),
    ]


def _whole(measured: Measured) -> Iterator[Target]:
    loads = [load for load in measured.loads if load.target == "product"]
    kept = [load for load in loads if not load.void]
    frame = f"end to end, quote to WebSocket frame, p99 at {PAIR_RATE:,}/s of the worst market"
    yield worst(frame, 1000, of_product(measured), "websocket", 99)
    most = max((load.tickers for load in kept if not load.lost), default=None)
    yield Target(
        what="tickers at once",
        bound=100,
        unit="tickers",
        measured=most,
        at_least=True,
        note=VOID if loads and not kept else "",
    )
    drain = measured.drain(PREDICT_BESIDE)
    yield Target(
        what="predictions of one process, from a backlog, beside record",
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
        what="database: inserted predictions, each beside the row of its quote",
        bound=1000,
        unit="a second",
        measured=record.a_second // 2 if record else None,
        at_least=True,
    )
    most = f"{max(measured.options.tickers):,} index probes and messages; the API asks so only what its cache has not"
    for what, value, detail in (
        ("the latest prediction of a ticker", limits.latest_ms if limits else None, ""),
        ("the latest prediction of every ticker", limits.all_latest_ms if limits else None, most),
        ("24 hours of one ticker", limits.day_ms if limits else None, ""),
    ):
        yield Target(what=f"database: {what}, p95", bound=100, unit="ms", measured=value, detail=detail)
    yield elsewhere.compression()


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
