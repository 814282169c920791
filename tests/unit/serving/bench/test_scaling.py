"""What is told of several predictors of which one is killed."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from riskee.cli.app import app
from serving.bench.machine import Machine
from serving.bench.scaling import Scaled, Scaling, waited
from tests.unit.serving.bench.test_loads import LOAD, seen


def test_quotes_without_an_event_are_lost_and_the_longest_wait_is_of_the_others() -> None:
    whole = seen(LOAD, 0.25)
    assert waited(LOAD, whole) == (0.25, 0)
    assert waited(LOAD, msgspec.structs.replace(whole, event=whole.event[:-7])) == (0.25, 7)
    assert waited(LOAD, msgspec.structs.replace(whole, event=[])) == (None, LOAD.count)


ALONE = Scaled(
    predictors=1, messages=20_000, done=15_000, missing=0, a_second=9_000, cpu_us={"predict": 86.6, "nats": 20.0},
    longest_wait=None, lost=None,
)  # fmt: skip
TWO = msgspec.structs.replace(ALONE, predictors=2, a_second=8_000, longest_wait=2.34, lost=0)
MACHINE = Machine(
    processor="made", cores=2, memory_gib=24, system="made", python="3.11", packages={"numpy": "1.0"}, commit="abc",
    load=(0.1, 1.0),
)  # fmt: skip
MEASURED = Scaling(machine=MACHINE, tickers=5_000, steady_rate=500.0, seconds=60.0, found=[ALONE, TWO])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "scale.json"
    file.write_bytes(msgspec.json.encode(MEASURED))
    return file


def report(*arguments: str) -> str:
    return CliRunner().invoke(app, ["bench", "report", *arguments], catch_exceptions=False).stdout


def test_the_section_of_a_page_is_replaced(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Benchmarks\n\n## Several predictors\n\nold\n\n## Others\n\nstay\n")
    report(str(file), "--write", str(page))
    written = page.read_text()
    assert "| 1 | 15,000 of 20,000 | 0 | 9,000 | 87 | 20 |  |  |" in written
    assert "| 2 | 15,000 of 20,000 | 0 | 8,000 | 87 | 20 | 2.3 | 0 |" in written
    assert "load average 0.1 before and 1.0 after" in written
    assert "old" not in written
    assert written.endswith("\n## Others\n\nstay\n")


def test_a_measurement_is_shown_as_it_was_written(file: Path) -> None:
    assert msgspec.json.decode(report(str(file), "--json"), type=Scaling) == MEASURED
    assert "15,000 of 20,000" in report(str(file))
