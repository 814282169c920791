"""What a measurement of the API has found."""

from typing import Literal

import msgspec

from serving.bench.latency import PERCENTILES, carried
from serving.bench.machine import Machine

CONNECTIONS = 32
USERS = 10
BATCH = 5000


class ApiOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How many tickers, and for each kind of request the seconds of one load and its repeats."""

    tickers: int = BATCH
    seconds: float = 5.0
    repeats: int = 5


QUICK = ApiOptions(tickers=200, seconds=1.0, repeats=1)
"""For a smoke test."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of request, medians of its repeats. Times are milliseconds, `cpu_us` by process microseconds of a
    processor for each request; `failed` counts the answers with a problem, and those that did not come."""

    what: str
    connections: int
    requests: int
    failed: int
    a_second: float
    p50: float
    p95: float
    p99: float
    most: float
    cpu_us: dict[str, float]

    def at(self, percentile: float) -> float | None:
        """A percentile in milliseconds; None where the requests, of all repeats, do not carry it."""
        found = dict(zip(PERCENTILES, (self.p50, self.p95, self.p99), strict=False))
        return found[percentile] if carried(self.requests, percentile) else None


class ApiMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where. `others` is the share of all cores' time that others took meanwhile."""

    kind: Literal["api"] = "api"
    machine: Machine
    load_tool: str
    options: ApiOptions
    seconds: float
    others: float
    served: list[Served]

    def of(self, what: str) -> Served | None:
        """What was measured of a kind of request."""
        return next((served for served in self.served if served.what == what), None)
