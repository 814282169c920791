"""`riskee data import` changes the history while nothing plays."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from riskee.cli import data, pipeline
from riskee.cli.app import app
from riskee.cli.import_report import print_reference
from riskee.errors import FatalError
from riskee.market.importing import ImportReport
from riskee.market.references import ReferenceReport
from riskee.storage.bars import BarCounts

REPORT = ImportReport("file:bars.csv", 2, BarCounts(new=2), {}, {}, (), 1, None, None)
HELD = ["stop ingest", "import"]
RELEASED = ["stop predict", "start predict", "start ingest"]


class Stack:
    """Notes what happens to its processes."""

    home = Path("home")

    def __init__(self, happened: list[str], up: set[str]) -> None:
        self._happened = happened
        self._up = up

    def status(self) -> list[SimpleNamespace]:
        states = {True: "RUNNING", False: "STOPPED"}
        return [SimpleNamespace(name=name, state=states[name in self._up]) for name in ("predict", "ingest", "api")]

    def log_path(self, name: str) -> Path:
        return Path(f"{name}.log")

    def restart(self, name: str, _progress: object, while_stopped: Callable[[], None] = lambda: None) -> None:
        self._happened.append(f"stop {name}")
        try:
            while_stopped()
        finally:
            self._happened.append(f"start {name}")


def run(
    monkeypatch: pytest.MonkeyPatch,
    *options: str,
    up: set[str] | None = None,
    fail: str = "",
    file: str = __file__,
) -> tuple[list[str], Result]:
    """Import with a stack of which `up` runs; the step `fail` fails. What happened, and what was said."""
    happened: list[str] = []

    def step(name: str) -> ImportReport:
        happened.append(name)
        if name == fail:
            raise FatalError(f"{name} failed", "")
        return REPORT

    stack = Stack(happened, {"predict", "ingest", "api"} if up is None else up)
    monkeypatch.setattr(data, "embedded_stack", lambda _settings: stack)
    monkeypatch.setattr(data, "_import", lambda *_: step("import"))
    monkeypatch.setattr(data, "with_database", lambda *_: None)
    monkeypatch.setattr(pipeline, "materialise", lambda *_: step("pipeline"))
    return happened, CliRunner().invoke(app, ["data", "import", file, *options])


def test_ingest_is_stopped_until_the_models_are_trained_and_predict_has_the_new_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened, result = run(monkeypatch)
    assert happened == [*HELD, "pipeline", *RELEASED]
    assert result.exit_code == 0, result.output


def test_without_the_pipeline_ingest_is_stopped_until_the_rows_are_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--no-run")[0] == [*HELD, *RELEASED]


@pytest.mark.parametrize(("fail", "steps"), [("import", HELD), ("pipeline", [*HELD, "pipeline"])])
def test_after_a_failure_ingest_runs_again_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, fail: str, steps: list[str]
) -> None:
    happened, result = run(monkeypatch, fail=fail)
    assert happened == [*steps, *RELEASED]
    assert "ingest runs again" in result.output
    assert str(result.exception).startswith(f"{fail} failed")


def test_what_does_not_run_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, up=set())[0] == ["import", "pipeline"]


def test_a_file_that_is_not_there_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    happened, result = run(monkeypatch, file="missing.csv")
    assert happened == []
    assert str(result.exception) == "there is no file missing.csv — check the path"


@pytest.mark.parametrize(("options", "told"), [((), False), (("--no-run",), True), (("--no-run", "--json"), False)])
def test_what_was_not_computed_is_what_comes_next(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], told: bool
) -> None:
    output = run(monkeypatch, *options)[1].output
    assert ("`riskee backfill`" in output and "`riskee models retrain`" in output) == told


@pytest.mark.parametrize(
    ("arguments", "cause", "remedy"),
    [
        (["import", __file__, "--as", "membership", "--ticker", "SPX"], "says itself which ticker", "--index"),
        (
            ["import", __file__, "--as", "earnings", "--ticker", "SPX"],
            "says itself which ticker",
            "leave --ticker away",
        ),
        (["import", __file__, "--as", "index", "--index", "SPX"], "--index is for --as membership", "--ticker"),
        (["show", "--as-of", "2012-03-01"], "--as-of is for a ticker's bars", "AAPL"),
        (["show", "AAPL", "--findings", "--as-of", "2012-03-01"], "--as-of is for a ticker's bars", "AAPL"),
        (["show", "--findings", "--bars", "5"], "--bars is for a ticker's bars", "AAPL"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(arguments: list[str], cause: str, remedy: str) -> None:
    error = CliRunner().invoke(app, ["data", *arguments]).exception
    assert isinstance(error, FatalError)
    assert cause in error.cause
    assert remedy in error.remedy


def test_the_index_of_members_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def bring(_settings: object, _path: Path, what: data.What, index: str | None) -> ReferenceReport:
        asked.append((what, index))
        return ReferenceReport("file:x.csv", 0, 0, {}, {}, ())

    monkeypatch.setattr(data, "_import_beside", bring)
    done = CliRunner().invoke(app, ["data", "import", __file__, "--as", "membership", "--index", "dji"])
    assert done.exit_code == 0, done.output
    assert asked == [(data.What.MEMBERSHIP, "DJI")]


def test_what_is_told_of_a_file_s_rows_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_reference(ReferenceReport("file:x.csv", 12_063, 11_618, {"malformed ticker": 542}, {}, (), 97))
    told = re.findall(r"[\d,]*\d", capsys.readouterr().out)
    read, doubled, stored, refused, *_ = (int(number.replace(",", "")) for number in told)
    assert read + doubled == stored + refused


@pytest.mark.parametrize("command", [["data", "import"], ["data", "show"], ["documents", "import"]])
def test_help_has_no_type_that_80_columns_break(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0, done.output
    # A type stands on one line, from < to >.
    assert done.output.count("<") == len(re.findall(r"<[^<>\n]+>", done.output)) > 0
    assert "%Y" not in done.output
