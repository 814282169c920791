"""From what was seen to the latency of every quote."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from riskee.market.bars import Floats
from serving.bench.plan import Plan

PERCENTILES = (50.0, 95.0, 99.0, 99.9)
FEWEST_ABOVE = 10
"""A percentile with fewer values above it says more of these few than of the rest (docs/adr/0146)."""
# Above every time of one run, in seconds: keeps the tickers apart in one sorted array.
_APART = 1e4


def carried(count: int, percentile: float) -> bool:
    """Whether so many values carry a percentile: enough of them are above it."""
    return round(count * (100 - percentile), 6) >= 100 * FEWEST_ABOVE


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds, and of how many quotes."""

    count: int
    p50: float
    p95: float
    p99: float
    p999: float
    most: float

    def at(self, percentile: float) -> float | None:
        """One of PERCENTILES; None where the values do not carry it."""
        found = dict(zip(PERCENTILES, (self.p50, self.p95, self.p99, self.p999), strict=True))
        return found[percentile] if carried(self.count, percentile) else None


def latency_of(milliseconds: Floats) -> Latency | None:
    """The percentiles; None without values."""
    if not len(milliseconds):
        return None
    found = np.percentile(milliseconds, PERCENTILES).round(3).tolist()
    p50, p95, p99, p999 = found
    return Latency(
        count=len(milliseconds), p50=p50, p95=p95, p99=p99, p999=p999, most=round(float(milliseconds.max()), 3)
    )


def until_seen(plan: Plan, seen: Sequence[tuple[int, float, float]]) -> Floats:
    """For each quote of a plan the seconds (count,) until the first effect of it or of a later quote of its ticker,
    which makes it out of date; inf where there was none. So a quote that was coalesced counts like any other."""
    due = plan.due() - plan.start
    tickers = np.arange(plan.count) % plan.tickers
    waited = np.full(plan.count, np.inf)
    if not seen:
        return waited
    numbers, moments, times = (np.array(column) for column in zip(*seen, strict=True))
    keys = _key(numbers, moments - plan.start)
    order = np.lexsort((times, keys))
    keys, numbers, times = keys[order], numbers[order], times[order] - plan.start
    # The earliest from each place on, among those of its ticker.
    earliest = np.minimum.accumulate((times + numbers * _APART)[::-1])[::-1] - numbers * _APART
    place = np.searchsorted(keys, _key(tickers, due))
    here = np.minimum(place, len(keys) - 1)
    found = (place < len(keys)) & (numbers[here] == tickers)
    waited[found] = earliest[here][found] - due[found]
    return waited


def unseen(plan: Plan, seen: Sequence[tuple[int, float, float]]) -> int:
    """How many quotes of a plan had no effect, neither their own nor a later one's of their ticker."""
    return int(np.isinf(until_seen(plan, seen)).sum())


def _key(numbers: NDArray[Any], seconds: Floats) -> NDArray[np.int64]:
    """Sorts by ticker, then by time in microseconds."""
    keys: NDArray[np.int64] = numbers.astype(np.int64) * int(_APART * 1e6) + np.rint(seconds * 1e6).astype(np.int64)
    return keys
