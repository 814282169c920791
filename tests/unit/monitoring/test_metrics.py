"""The declared metrics: named by Prometheus' conventions, described, used, and counted right."""

import re
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from riskee import telemetry
from riskee.metrics_page import Declared, declared, render
from riskee.tally import CountsBy, Tally

ROOT = Path(__file__).parents[3]
# What a value is counted in; the others are numbers of the things that the name ends with.
UNITS = ("_seconds", "_bytes", "_ratio", "_info")
THINGS = (
    "_messages",
    "_depth",
    "_up",
    "_status",
    "_connections",
    "_limit",
    "_held",
    "_waiting",
    "_predictors",
    "_outcomes",
    "_targets",
)
UNBOUNDED = {"ticker", "user", "path", "id", "request_id", "key_id", "message_id"}
by_name = pytest.mark.parametrize("metric", list(declared()), ids=lambda metric: metric.name)


def test_the_page_is_generated_from_the_code() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == render(), "run `make docs`"


def test_the_page_misses_none() -> None:
    exposed = {
        line.split()[2] for line in telemetry.exposition().decode().splitlines() if line.startswith("# TYPE riskee_")
    }
    created = {name for name in exposed if name.endswith("_created")}
    assert {metric.name for metric in declared()} == exposed - created


@by_name
def test_a_name_says_what_is_counted(metric: Declared) -> None:
    assert re.fullmatch(r"riskee_[a-z]+(_[a-z]+)*", metric.name)
    if metric.kind == "counter":
        assert metric.name.endswith("_total")
    else:
        assert metric.name.endswith((*UNITS, *THINGS))
    assert metric.meaning


@by_name
def test_no_label_grows_without_end(metric: Declared) -> None:
    assert not UNBOUNDED & set(metric.labels)


def test_every_metric_is_set_somewhere() -> None:
    packages = ("riskee", "serving")
    code = "\n".join(
        file.read_text() for package in packages for file in (ROOT / package).rglob("*.py") if file.stem != "telemetry"
    )
    names = [name for name in vars(telemetry) if name.isupper() and not name.startswith(("_", "EXPOSITION", "CONTENT"))]
    assert [name for name in names if not re.search(rf"\b{name}\b\.", code)] == []


def test_a_tally_is_the_clients_histogram() -> None:
    values = [*np.random.default_rng(5).random(500).tolist(), 0.5, 0.25, 1.0, 2.0]
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    Tally("shares", "x", (0.25, 0.5, 1.0), ours).observe(values)
    histogram = Histogram("shares", "x", buckets=(0.25, 0.5, 1.0), registry=theirs)
    for value in values:
        histogram.observe(value)
    assert _buckets(ours) == _buckets(theirs)


def _buckets(registry: CollectorRegistry) -> dict[str, float]:
    lines = [line for line in generate_latest(registry).decode().splitlines() if "bucket" in line or "count" in line]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def test_counts_add_up_by_value() -> None:
    registry = CollectorRegistry()
    counts = CountsBy("things_total", "x", "kind", registry)
    counts.count(["a", "b", "a"])
    counts.count(iter("a"))
    assert registry.get_sample_value("things_total", {"kind": "a"}) == 3
    assert registry.get_sample_value("things_total", {"kind": "b"}) == 1
