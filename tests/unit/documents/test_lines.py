"""Reading a user's file, whatever it holds."""

import gzip
from pathlib import Path

import pytest

from riskee.documents import lines
from riskee.documents.lines import numbered_lines, sha256_of
from riskee.errors import NotFoundError, PoisonError


def test_lines_are_numbered_as_an_editor_does_and_blank_ones_left_out(tmp_path: Path) -> None:
    for name, opened in (("a.jsonl", open), ("a.jsonl.gz", gzip.open)):
        with opened(tmp_path / name, "wb") as file:
            file.write(b"one\n\n  \r\nfour")
        found = [(number, line) for number, line, _ in numbered_lines(tmp_path / name)]
        assert found == [(1, b"one\n"), (4, b"four")]


def test_a_line_without_end_is_told_and_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 10)
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"x" * 35 + b"\n" + b"y" * 9 + b"\n" + b"z" * 11)
    assert [(number, line) for number, line, _ in numbered_lines(file)] == [
        (1, None),
        (2, b"y" * 9 + b"\n"),
        (3, None),
    ]


def test_the_share_of_the_file_grows_to_one(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"line\n" * 5)
    shares = [share for _, _, share in numbered_lines(file)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_file_that_is_no_whole_gzip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.gz").write_bytes(b"plain text")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"line\n" * 10_000)[:-20])
    for name in ("no.gz", "cut.gz"):
        with pytest.raises(PoisonError, match="no whole gzip file"):
            list(numbered_lines(tmp_path / name))


def test_a_missing_file_and_a_folder_are_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(NotFoundError):
            list(numbered_lines(path))
        with pytest.raises(NotFoundError):
            sha256_of(path)
