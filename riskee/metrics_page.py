"""Writes docs/metrics.md from the declarations of the metrics.

`python -m riskee.metrics_page > docs/metrics.md`; a test compares the two.
"""

import sys
from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram

from riskee import telemetry
from riskee.tally import CountsBy, Tally

_KINDS = {Counter: "counter", CountsBy: "counter", Gauge: "gauge", Histogram: "histogram", Tally: "histogram"}
_HEAD = """\
# Metrics

Generated from the code by `make docs`; do not edit. Times are seconds, sizes bytes, `_timestamp_seconds` Unix times,
`_ratio` shares. Every service serves them under `/metrics` on its port (`RISKEE_METRICS__*`, `RISKEE_API__PORT`),
beside the `process_*` and `python_*` ones of the client. No label takes a ticker, a user or a path. How they are
scraped, shown and watched: [monitoring](monitoring.md).

| metric | kind | labels | meaning |
|---|---|---|---|
"""


class Declared(NamedTuple):
    """A metric as it is declared."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def declared() -> Iterator[Declared]:
    """Every metric, in the order of the declarations."""
    for metric in vars(telemetry).values():
        if not isinstance(metric, Counter | Gauge | Histogram | CountsBy | Tally):
            continue
        (family,) = metric.describe()
        # The client keeps the names of the labels to itself.
        labels = metric.labels if isinstance(metric, CountsBy) else getattr(metric, "_labelnames", ())
        kind = _KINDS[type(metric)]
        yield Declared(family.name + ("_total" if kind == "counter" else ""), kind, labels, family.documentation)


def render() -> str:
    """The whole page."""
    rows = (
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |\n"
        for each in declared()
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(render())
