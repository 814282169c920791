"""Progress, on a terminal and elsewhere."""

import io

import pytest
from rich.console import Console

from riskee.cli import board
from riskee.errors import FatalError


def test_plain_lines_tell_beginning_news_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    with board.PlainBoard() as plain, plain.task("Loading") as task:
        task.tell("bars")
        task.tell("bars")
        task.advance(1, 2, "half")
        task.advance(2, 2)
    lines = [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == ["Loading …", "  Loading: bars", "  Loading:  50% half"]
    assert lines[3].startswith("Loading: done in ")
    assert len(lines) == 4


def test_live_bars_end_with_a_tick_or_a_cross() -> None:
    out = io.StringIO()
    with board.LiveBoard(Console(file=out, force_terminal=True, width=120)) as live:
        with live.task("Loading") as task:
            task.advance(1, 2, "half\nmore")
        with pytest.raises(FatalError), live.task("Training"):
            raise FatalError("no data")
    text = out.getvalue()
    assert "✓" in text
    assert "✗ Training" in text
    assert "more" not in text
