"""`riskee replay --restart` writes while nothing plays."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from riskee.cli import replay
from riskee.cli.app import app
from riskee.errors import RetryableError


class Stack:
    """Notes what happens to ingest."""

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    def restart(self, name: str, while_stopped: Callable[[], None]) -> None:
        self._happened.append(f"stop {name}")
        while_stopped()
        self._happened.append(f"start {name}")


def test_the_pass_is_ended_while_ingest_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    def with_database(*_: object) -> None:
        happened.append("database")
        if happened[-2:] == ["start ingest", "database"]:
            raise RetryableError("the status is of no interest here")

    monkeypatch.setattr(replay, "embedded_stack", lambda _settings: Stack(happened))
    monkeypatch.setattr(replay, "with_database", with_database)
    CliRunner().invoke(app, ["replay", "--restart"])
    assert happened == ["stop ingest", "database", "start ingest", "database"]
