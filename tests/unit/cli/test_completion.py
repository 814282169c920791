"""What the shell completes: commands and options, and what this installation has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from riskee.cli import completion, runtime
from riskee.errors import FatalError, RetryableError

TICKERS = [
    {"ticker": "AAPL", "name": "Apple [inc]", "is_index": False},
    {"ticker": "AMZN", "name": "Amazon", "is_index": False},
    {"ticker": "BRK.B", "name": "Berkshire", "is_index": False},
    {"ticker": "SPX", "name": "S&P 500", "is_index": True},
]


def _answers(monkeypatch: pytest.MonkeyPatch, answer: object) -> list[tuple[str, float]]:
    asked: list[tuple[str, float]] = []

    def get(_settings: object, path: str, timeout: float, **query: str) -> Any:
        asked.append((f"{path}?{urlencode(query)}" if query else path, timeout))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("riskee.cli.api.get", get)
    return asked


def test_tickers_come_with_names_from_the_api_which_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _answers(monkeypatch, TICKERS)
    assert completion.tickers("A") == [("AAPL", "Apple \\[inc]"), ("AMZN", "Amazon")]
    assert completion.tickers("BRK.") == [("BRK.B", "Berkshire")]
    assert completion.tickers("X") == []
    assert completion.tickers("S") == [("SPX", "S&P 500")]
    assert completion.predicted("S") == []
    assert completion.predicted("am") == [("amzn", "Amazon")]
    # Not all that there are, at each press of the tabulator.
    assert [path.partition("?")[2] for path, _ in asked] == [f"search={x}" for x in ("A", "BRK.", "X", "S", "S", "am")]
    ((path, timeout),) = {(path.partition("?")[0], timeout) for path, timeout in asked}
    assert path == "/v1/tickers"
    assert timeout <= 1


def test_what_is_typed_small_is_completed_small(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, TICKERS)
    assert [ticker for ticker, _ in completion.tickers("am")] == ["amzn"]


@pytest.mark.parametrize(
    "answer", [RetryableError("away", "up"), FatalError("no key", "make one"), {"detail": "another API"}, [{"x": 1}], 3]
)
def test_it_is_silent_where_nothing_is_known(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    _answers(monkeypatch, answer)
    assert completion.tickers("A") == []
    assert completion.models("") == []


def test_models_types_and_logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _answers(monkeypatch, [{"model_version": "normal-1", "decision": "promoted"}, {"model_version": "earnings-1"}])
    assert completion.models("n") == [("normal-1", "promoted")]
    assert completion.model_types("e") == ["earnings"]

    class Stack:
        def log_path(self, name: str) -> Path:
            return tmp_path / f"{name}.log"

    for name in ("nats", "predict", "predict-2"):
        Stack().log_path(name).touch()
    monkeypatch.setattr(runtime, "embedded_stack", lambda _settings: Stack())
    assert completion.logs("p") == ["predict", "predict-2"]
    monkeypatch.setenv("RISKEE_PROFILE", "nonsense")
    assert completion.logs("") == []


def complete(shell: str, folder: Path, *words: str, **environ: str) -> list[str]:
    """What a real shell offers for the last of these words, after `riskee` as it is installed."""
    program = folder / "riskee"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m riskee "$@"\n')
    program.chmod(0o755)
    script = f"""
eval "$(_RISKEE_COMPLETE=source_{shell} riskee)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_riskee_completion {program}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        [shell, "--norc", "-c", script, shell, str(program), *words],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"} | environ,
        check=True,
        capture_output=True,
        text=True,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_kinds(tmp_path: Path) -> None:
    assert complete("bash", tmp_path, "tr") == ["track-record"]
    assert complete("bash", tmp_path, "predict", "--j") == ["--json"]
    assert complete("bash", tmp_path, "models", "rollback", "") == ["normal", "earnings"]
    # Nothing listens there.
    assert complete("bash", tmp_path, "predict", "A", RISKEE_API__PORT="1") == []


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o default -F"), ("zsh", "#compdef riskee"), ("fish", "complete --command")]
)
def test_each_shell_has_its_script(shell: str, mark: str) -> None:
    environ = os.environ | {"_RISKEE_COMPLETE": f"source_{shell}"}
    command = [sys.executable, "-m", "riskee"]
    assert mark in subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
