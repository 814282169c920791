"""docs/sizing.md is what the measured numbers give, and the arithmetic is right for numbers that a head can do."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from infra.sizing.measured import DOCS, SERVICES, Kept, Measured, read_measured
from infra.sizing.need import Load, cores_of, need
from infra.sizing.page import LOADS, render
from riskee.errors import FatalError

FULL_CORES = "| product | 5,000 | 5,000 |"
# 600 us a quote at 100/s, 300 at 1,000/s, 60 at 5,000/s, over all services.
EASY = Measured(
    machine="2 cores",
    cpu_us=dict.fromkeys(SERVICES, (100.0, 50.0, 10.0)),
    predicted=10_000,
    written=40_000,
    late_ms=(10.0, 1_000.0),
    memory_mib=dict.fromkeys(SERVICES, 100.0),
    delivery_us=20.0,
    connection_kib=32.0,
    tables={"quotes": Kept(200, 5), "predictions": Kept(300, 3), "market_data": Kept(250, 10)},
)


def test_the_page_is_computed_from_the_measured_numbers() -> None:
    assert (DOCS / "sizing.md").read_text() == render(), "run `make docs`"


def test_how_late_the_page_says_quotes_are_is_what_was_measured() -> None:
    (row,) = (
        line for line in (DOCS / "benchmarks.md").read_text().splitlines() if FULL_CORES in line and " / " in line
    )
    latest = float(row.split("|")[4].split(" / ")[2])
    assert f"5,000/s on two full cores: {latest / 1000:.2g} s late at p99" in render()


def test_what_the_page_says_of_the_largest_is_so() -> None:
    minute, second = (need(read_measured(), load) for _, load in LOADS if load.tickers == 50_000)
    assert minute.record_used < 0.6
    assert minute.api is not None
    assert second.record_used > 1
    assert second.api is None


@pytest.mark.parametrize(
    ("rate", "cores"), [(0, 0), (50, 0.005), (100, 0.01), (550, 0.03), (1_000, 0.05), (5_000, 0.05), (50_000, 0.5)]
)
def test_processors_are_linear_between_what_was_measured(rate: float, cores: float) -> None:
    assert cores_of(EASY, "api", rate) == pytest.approx(cores)


def test_what_a_load_needs_is_computed_as_the_page_says() -> None:
    found = need(EASY, Load(tickers=20_000, per_ticker=0.5, connections=1_000))
    assert found.predictors == 4, "5,000 tickers each; by their pace two would do"
    assert found.record_used == pytest.approx(0.5)
    # 5,000 deliveries/s are 0.1 of a core, and 0.5 are left beside 0.1 for reading 10,000/s.
    assert found.api == 1
    assert found.cores == pytest.approx(6 * 0.1 + 0.1)
    assert found.cores_at_ease == pytest.approx(6 * 0.5 + 0.1)
    assert found.memory_gib * 1024 == pytest.approx(400 + 100 + 100 + 100 + 100 + 4 * 100 + 1_000 * 32 / 1024)
    assert found.burst_seconds == pytest.approx(0.5)
    assert found.day_gb == pytest.approx(10_000 * 23_400 * 500 / 1e9)
    assert found.rows_gb == pytest.approx(found.day_gb * 90 * 252 / 365)
    assert found.columns_gb == pytest.approx(found.day_gb * 252 / 365 * (7 + 83 * (40 + 100) / 500))


def test_more_connections_take_more_processes_of_the_api_until_none_has_room() -> None:
    busy = Load(tickers=5_000, per_ticker=1.0, connections=10_000)
    found = need(EASY, busy)
    assert found.api == 4, "100,000 deliveries/s are 2 cores, 0.55 are left in each"
    assert found.cores == pytest.approx(6 * 0.05 + 3 * 0.05 + 2)
    assert need(EASY, replace(busy, tickers=70_000, connections=1)).api is None


def test_a_page_that_no_longer_has_a_number_is_named(tmp_path: Path) -> None:
    for name in ("benchmarks.md", "backup.md"):
        shutil.copy(DOCS / name, tmp_path)
    assert read_measured(tmp_path) == read_measured()
    page = tmp_path / "benchmarks.md"
    page.write_text(page.read_text().replace("**Deliveries**", "**Sent**"))
    with pytest.raises(FatalError, match="no table 'Deliveries'"):
        read_measured(tmp_path)
