"""Reading logs."""

from itertools import islice
from pathlib import Path

from riskee.cli import logs


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
