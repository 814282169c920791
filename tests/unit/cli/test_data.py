"""`riskee data import` changes the history while nothing plays."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from riskee.cli import data, pipeline
from riskee.cli.app import app
from riskee.errors import FatalError
from riskee.market.importing import ImportReport
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
