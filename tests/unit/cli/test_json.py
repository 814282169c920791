"""Every command answers programs too: as JSON on standard output, and nothing else there."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from riskee.cli import logs, stack, up
from riskee.cli.app import app
from riskee.settings import Settings
from serving.bench.result import Measured
from tests.unit.cli.examples import PREDICTION
from tests.unit.serving.bench.made import measured

runner = CliRunner()


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """All commands of a tree, by their whole name."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
    else:
        for name, one in below.items():
            yield from commands(one, *path, name)


def test_every_command_takes_it() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert len(found) > 30
    assert [name for name, one in found.items() if not any("--json" in option.opts for option in one.params)] == []


class Stack:
    """A stack of one process, which tells what it does."""

    def __init__(self, home: Path, *, running: bool = True) -> None:
        self.home = home
        self.running = running

    def exclusive(self) -> Any:
        return nullcontext()

    def start_servers(self, tell: Any) -> None:
        tell("postgres", "starting")

    start_services = stop = start_servers

    def moved_ports(self) -> list[tuple[str, int, int]]:
        return [("postgres", 5432, 5434)]

    def log_path(self, name: str) -> Path:
        return self.home / f"{name}.log"


def test_up_says_where_everything_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = Stack(tmp_path)
    waits = SimpleNamespace(wait_for_data=lambda: None, wait_for_weights=lambda: None, close=lambda: None)
    for name, replaced in {
        "read_settings": Settings,
        "embedded_stack": lambda _settings: own,
        "_prepare_servers": lambda *_: None,
        "_make_models": lambda *_: None,
        "_first_predictions": lambda *_: [PREDICTION],
        "Downloads": lambda *_: waits,
    }.items():
        monkeypatch.setattr(up, name, replaced)
    result = runner.invoke(app, ["up", "--json"], catch_exceptions=False)
    told = json.loads(result.stdout)
    assert told["page"] == "http://127.0.0.1:8000/"
    assert (told["api"], told["stream"]) == ("http://127.0.0.1:8000/v1", "ws://127.0.0.1:8000/v1/stream")
    assert (told["ports"], told["open"], told["predictions"]) == ({"postgres": 5434}, True, [PREDICTION])
    assert "postgres: starting" in result.stderr


@pytest.mark.parametrize("running", [True, False])
def test_down_says_whether_anything_ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, running: bool) -> None:
    monkeypatch.setattr(stack, "embedded_stack", lambda _settings: Stack(tmp_path, running=running))
    result = runner.invoke(app, ["down", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout) == {"stopped": running, "home": str(tmp_path)}
    assert ("Stopping" in result.stderr) == running


def test_logs_name_the_process_of_each_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(logs, "embedded_stack", lambda _settings: Stack(tmp_path))
    (tmp_path / "api.log").write_text('{"event": "audit"}\n')
    (tmp_path / "nats.log").write_text("ready – 1\n")
    lines = runner.invoke(app, ["logs", "--json"], catch_exceptions=False).stdout.splitlines()
    assert list(map(json.loads, lines)) == [
        {"log": "api", "line": '{"event": "audit"}'},
        {"log": "nats", "line": "ready – 1"},
    ]


def test_a_measurement_is_shown_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "live.json").write_bytes(msgspec.json.encode(measured()))
    result = runner.invoke(app, ["bench", "report", str(tmp_path / "live.json"), "--json"], catch_exceptions=False)
    assert msgspec.json.decode(result.stdout, type=Measured) == measured()
