"""Where a measurement was made, and what its reader must know first, in the same words for all."""

from collections.abc import Iterable

from serving.bench.api_result import Served
from serving.bench.latency import FEWEST_ABOVE, PERCENTILES, Latency
from serving.bench.machine import Machine

# What a system does by itself is less.
MOST_OTHERS = 0.1
PERCENTILES_TOLD = f" A percentile with fewer than {FEWEST_ABOVE} values above it is not told: `-`."


def disturbed(others: float) -> str:
    """The warning where others took this share of the machine's processors; else nothing."""
    sentence = "Others used the machine meanwhile: times are upper bounds, rates lower ones."
    return f"**{sentence}** " if others > MOST_OTHERS else ""


def measured_on(machine: Machine, seconds: float, packages: Iterable[str]) -> str:
    """How long it took, on what, with which versions of these packages and at which commit."""
    versions = ", ".join(f"{name} {machine.packages[name]}" for name in packages)
    return (
        f"Measured in {seconds:.0f} s on {machine.cores} cores ({machine.processor}, {machine.memory_gib} GiB,"
        f" {machine.system}), Python {machine.python}, {versions}; commit {machine.commit or 'unknown'};"
    )


def percentiles(seen: Latency | Served | None) -> str:
    """p50, p95 and p99 in milliseconds, without those that the values do not carry; nothing without values."""
    if seen is None:
        return ""
    found = (seen.at(percentile) for percentile in PERCENTILES[:3])
    return " / ".join("-" if value is None else f"{value:.1f}" for value in found)
