"""Metrics that take the values of a whole wave at once: the client's own cost a microsecond a value.

For one thread that counts, the event loop's; it also collects.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class CountsBy(Collector):
    """A counter by one label, whose values are few."""

    def __init__(self, name: str, documentation: str, label: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._name = name
        self._documentation = documentation
        self.labels = (label,)
        self._counts: Counter[str] = Counter()
        registry.register(self)

    def count(self, values: Iterable[str]) -> None:
        """Count each of these values of the label."""
        self._counts.update(values)

    def describe(self) -> Iterator[CounterMetricFamily]:
        """What is counted, without the counts."""
        yield CounterMetricFamily(self._name, self._documentation, labels=self.labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counts so far."""
        (family,) = self.describe()
        for value, count in self._counts.items():
            family.add_metric([value], count)
        yield family


class Tally(Collector):
    """A histogram."""

    def __init__(
        self, name: str, documentation: str, bounds: Sequence[float], registry: CollectorRegistry = REGISTRY
    ) -> None:
        """`bounds` are the buckets' upper ones, rising; what is above the last one is counted too."""
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, values: Iterable[float]) -> None:
        """Count all of these."""
        bounds, counts, total = self._bounds, self._counts, 0.0
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total += value
        self._sum += total

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """What is counted, without the counts."""
        yield HistogramMetricFamily(self._name, self._documentation)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The counts so far."""
        names = (*map(str, self._bounds), "+Inf")
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)
