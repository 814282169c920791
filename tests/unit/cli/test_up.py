"""The steps of `up`: progress of the pipeline, what is skipped, how a failure reads."""

import json
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from riskee.cli import pipeline, up
from riskee.cli.board import PlainBoard
from riskee.cli.downloads import Downloads
from riskee.errors import FatalError, RetryableError
from riskee.messaging.statuses import gravest
from riskee.settings import FeedSettings, ReplaySettings, Settings
from tests.unit.cli.examples import PREDICTION


class Seen:
    """A task that remembers."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.last = (0.0, 0.0)

    def tell(self, detail: str) -> None:
        self.told.append(detail)

    def advance(self, done: float, total: float, detail: str = "") -> None:
        self.last = (done, total)


def _bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *events: object, code: int = 0) -> Path:
    """A pipeline that prints these lines."""
    package = tmp_path / "riskee_dagster"
    package.mkdir()
    (package / "__init__.py").touch()
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    (package / "bootstrap.py").write_text(f"import sys\nfor line in {lines!r}: print(line)\nsys.exit({code})\n")
    monkeypatch.setattr(pipeline, "REPO_ROOT", tmp_path)
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    return home


def _settings(home: Path, sessions: int = 120) -> Settings:
    settings = Settings(feed=FeedSettings(replay=ReplaySettings(sessions=sessions)))
    return settings.model_copy(update={"home": home})


def _event(asset: str, state: str, done: int, detail: str = "") -> dict[str, Any]:
    return {"asset": asset, "state": state, "done": done, "total": 3, "detail": detail}


def test_the_pipelines_progress_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = _bootstrap(
        monkeypatch, tmp_path, _event("bars", "start", 0, "12 rows"), "noise of a library", _event("bars", "done", 1)
    )
    task = Seen()
    pipeline.materialise(_settings(home), tmp_path / "log", task)
    assert task.told == ["bars: 12 rows", "bars"]
    assert task.last == (1, 3)
    assert home.joinpath(*pipeline.MARKER).exists()


def test_a_failed_asset_is_named_with_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = _bootstrap(monkeypatch, tmp_path, _event("models/normal", "failed", 2, "too few rows"), code=1)
    with pytest.raises(FatalError, match="models/normal: too few rows") as failed:
        pipeline.materialise(_settings(home), tmp_path / "log", Seen())
    assert str(tmp_path / "log") in failed.value.cause
    assert not home.joinpath(*pipeline.MARKER).exists()


def test_what_a_home_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = _bootstrap(monkeypatch, tmp_path)
    settings = _settings(home)
    missing: list[str] = []
    monkeypatch.setattr(pipeline, "missing_champions", lambda _settings: missing)
    assert pipeline.state(settings) is pipeline.State.INCOMPLETE
    pipeline.materialise(_settings(home), tmp_path / "log", Seen())
    assert pipeline.state(settings) is pipeline.State.COMPLETE
    assert pipeline.state(_settings(home, 250)) is pipeline.State.OTHER_REPLAY
    (tmp_path / "riskee_dagster" / "more.py").write_text("new = 1\n")
    assert pipeline.state(settings) is pipeline.State.OTHER_VERSION
    missing.append("normal")
    assert pipeline.state(settings) is pipeline.State.INCOMPLETE


def test_a_failed_step_names_itself_its_log_and_the_next_step(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    log.touch()
    stack: Any = SimpleNamespace(log_path=lambda name: tmp_path / f"{name}.log")
    with pytest.raises(FatalError) as failed, PlainBoard() as board, up._step(board, stack, "Migrating", "postgres"):
        raise RetryableError("no answer\nline 2")
    assert failed.value.cause.splitlines() == ["Migrating failed: no answer", "line 2", f"log: {log}"]
    assert "riskee doctor" in failed.value.remedy


def test_downloads_run_on_and_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fetched: list[str] = []

    class Blobs:
        def __init__(self, _home: Path) -> None: ...

        def present(self, name: str) -> bool:
            return name == "macrodata"

        def ensure(self, name: str, progress: Any) -> None:
            fetched.append(name)
            progress(name, 50, 100)

    def install(_blobs: object, _models: Path, model: str, _local: object, progress: Any) -> None:
        progress(model, 2**20, 2**21)
        raise RetryableError("no network")

    monkeypatch.setattr("riskee.blobs.Blobs", Blobs)
    monkeypatch.setattr("riskee.blobs.weights.install_weights", install)
    monkeypatch.delenv("RISKEE_LLM__URL", raising=False)
    downloads = Downloads(Settings().model_copy(update={"home": tmp_path}), PlainBoard())
    downloads.wait_for_data()
    with pytest.raises(RetryableError, match="no network"):
        downloads.wait_for_weights()
    downloads.close()
    assert fetched == ["daily-stocks", "sp500-index", "earnings-dates", "minilm-onnx", "minilm-tokenizer"]


def test_without_weights_everything_else_runs_and_the_failure_is_told_last() -> None:
    def no_weights() -> None:
        raise RetryableError("no network", "try again")

    stack: Any = SimpleNamespace(log_path=Path)
    late = up._language_model(PlainBoard(), stack, SimpleNamespace(wait_for_weights=no_weights))  # type: ignore[arg-type]
    assert late is not None
    assert "template" in late.cause
    assert late.remedy == "try again"


def _stack(tmp_path: Path, *moved: tuple[str, int, int]) -> Any:
    return SimpleNamespace(home=tmp_path, log_path=lambda name: tmp_path / f"{name}.log", moved_ports=lambda: moved)


def _serve(monkeypatch: pytest.MonkeyPatch, flags: dict[str, list[str]]) -> None:
    """An API that knows A, B, C and the index I, with predictions of those that have flags here."""

    def get(_settings: object, path: str, _timeout: float) -> Any:
        if path == "/v1/tickers":
            return [{"ticker": ticker, "is_index": ticker == "I"} for ticker in "IABC"]
        ticker = path.removeprefix("/v1/predict/")
        if ticker not in flags:
            raise RetryableError(f"{ticker} has not been predicted yet")
        return PREDICTION | {"ticker": ticker, "flags": flags[ticker], "status": gravest(flags[ticker])}

    monkeypatch.setattr("riskee.cli.api.get", get)
    monkeypatch.setattr(up, "FIRST_PREDICTIONS_SECONDS", 0.5)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ({"B": ["replay"]}, ["B"]),
        ({"A": ["stale"], "B": [], "C": []}, ["B", "C"]),
        ({"A": ["stale"]}, ["A"]),
        ({}, []),
    ],
)
def test_fresh_predictions_are_waited_for_of_whatever_ticker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: dict[str, list[str]], shown: list[str]
) -> None:
    _serve(monkeypatch, flags)
    found = up._first_predictions(PlainBoard(), _stack(tmp_path), Settings())
    assert [one["ticker"] for one in found] == shown


def test_stale_predictions_are_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    up._print_result(_stack(tmp_path), Settings(), [PREDICTION | {"flags": ["stale"], "status": "stale"}], 1.0)
    stale = capsys.readouterr().out
    assert "Only stale predictions yet" in stale
    assert "First predictions" not in stale
    up._print_result(_stack(tmp_path), Settings(), [PREDICTION], 1.0)
    assert "First predictions" in capsys.readouterr().out


def test_the_summary_names_moved_ports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    up._print_result(_stack(tmp_path, ("postgres", 5432, 5434)), Settings(), [], 1.0)
    assert "postgres 5434 (not the usual ones)" in capsys.readouterr().out
    up._print_result(_stack(tmp_path), Settings(), [], 1.0)
    assert "not the usual" not in capsys.readouterr().out


def test_without_models_there_must_be_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    began: list[str] = []
    stack = _stack(tmp_path)
    stack.exclusive = nullcontext
    stack.start_servers = lambda _progress: began.append("servers")
    stack.start_services = lambda _progress: began.append("services")
    monkeypatch.setattr(up, "read_settings", Settings)
    monkeypatch.setattr(up, "embedded_stack", lambda _settings: stack)
    monkeypatch.setattr(up, "_prepare_servers", lambda *_: None)
    monkeypatch.setattr(up, "Downloads", lambda *_: began.append("downloads"))
    monkeypatch.setattr(up, "missing_champions", lambda _settings: ["normal", "earnings"])
    with pytest.raises(FatalError, match=r"no model yet \(normal, earnings\).* without --no-models"):
        up.bring_up(models=False)
    assert began == ["servers"]
