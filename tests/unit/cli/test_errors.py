"""What a person sees when a command fails."""

import json
import sys

import pytest

from riskee.cli import app, predictions
from riskee.errors import FatalError


def _fail(error: Exception, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    def raising(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("riskee.cli.api.get", raising)
    monkeypatch.setattr(sys, "argv", ["riskee", "predict", "AAPL", *arguments])
    app.main()


def test_one_line_of_cause_and_a_next_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _fail(FatalError("the disk is full\nlog: [x]", "free some"), monkeypatch)
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines() == ["error: the disk is full", "  log: [x]", "next:  free some"]


def test_a_program_reads_the_same_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _fail(FatalError("the disk is full", "free some"), monkeypatch, "--json")
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert (json.loads(told.err), told.out) == ({"error": "the disk is full", "next_step": "free some"}, "")


def test_a_defect_says_how_to_report_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _fail(KeyError("price"), monkeypatch)
    assert ended.value.code == 70
    out = capsys.readouterr().err
    assert "KeyError" in out
    assert "--debug" in out
    assert "Traceback" not in out


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FatalError):
        _fail(FatalError("x"), monkeypatch, "--debug")


def test_usage_errors_are_clicks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["riskee", "nonsense"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err
    assert predictions.predict.__doc__
