"""Reading logs."""

import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from riskee.cli import logs
from riskee.errors import NotFoundError


def test_last_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    assert logs.last_lines(file, 2) == ()
    file.write_text("1\n2\n3\n")
    assert logs.last_lines(file, 2) == ["2", "3"]


def test_following_gives_whole_lines_and_survives_rotation(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text("old\n")
    places = {first: first.stat().st_size, second: 0}
    assert logs._appended(second, places) == []
    with first.open("a") as file:
        file.write("new\nhal")
    assert logs._appended(first, places) == ["new"]
    with first.open("a") as file:
        file.write("f\n")
    assert logs._appended(first, places) == ["half"]
    first.write_text("r\n")
    assert logs._appended(first, places) == ["r"]


def test_follow_begins_at_the_end(tmp_path: Path, monkeypatch: object) -> None:
    file = tmp_path / "a.log"
    file.write_text("old\n")
    lines = logs.followed([file])
    monkeypatch.setattr(logs.time, "sleep", lambda _seconds: file.write_text("old\nnew\n"))  # type: ignore[attr-defined]
    assert list(islice(lines, 1)) == [(file, "new")]


def test_what_is_logged_by_a_command_stays_apart_from_what_it_prints() -> None:
    program = "from riskee.logs import get_logger; get_logger('x').warning('away'); print('{}')"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "{}\n"
    assert "away" in done.stderr


def test_without_any_log_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stack = SimpleNamespace(log_path=lambda name: tmp_path / f"{name}.log")
    monkeypatch.setattr(logs, "embedded_stack", lambda _settings: stack)
    with pytest.raises(NotFoundError, match="no logs yet"):
        logs.logs()
