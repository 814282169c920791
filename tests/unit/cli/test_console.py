"""Tables and lines: what comes from outside is text, whatever brackets it has."""

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from riskee.cli import console
from riskee.cli.app import app
from riskee.cli.predictions import prediction_lines
from riskee.cli.watch import table
from tests.unit.cli.examples import PREDICTION

SCREEN_LINES = 30
HOSTILE = "[red]A[/red] [/b]"


def test_a_table_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(f"of {HOSTILE}", ("ticker", "cause"), [(HOSTILE, None), ("B", console.styled("[x]", "red"))])
    shown = capsys.readouterr().out
    assert shown.count(HOSTILE) == 2
    assert "[x]" in shown
    assert "\x1b" not in shown


def test_predictions_show_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = PREDICTION | {"ticker": HOSTILE, "feed": "feed[/]", "model_version": "[m]", "flags": ["[/flag]"]}
    out = console.console()
    for line in prediction_lines(hostile):
        out.print(line)
    for drawn in ({HOSTILE: hostile}, {HOSTILE: hostile, "B": PREDICTION}):
        out.print(table(drawn))
    shown = capsys.readouterr().out
    assert shown.count(HOSTILE) == 3
    for part in ("feed[/]", "[m]", "[/flag]"):
        assert part in shown


def test_the_page_of_all_commands_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_FILE_WIDTH", 80)
    lines = CliRunner().invoke(app, ["--help"]).output.splitlines()
    assert len(lines) <= SCREEN_LINES
    assert max(map(len, lines)) <= 80
    # A line each, whole.
    for command in get_group(app).commands:
        (line,) = (line for line in lines if line[12:].startswith(f"{command} "))
        assert line.rstrip().endswith("."), command
        assert not line.rstrip().endswith("..."), f"the first sentence of {command} is too long"


def test_a_group_of_commands_keeps_its_own_page() -> None:
    shown = CliRunner().invoke(app, ["models", "--help"]).output
    for command in ("list", "promote", "rollback", "retrain"):
        assert f" {command} " in shown
