"""A growing file is read once, whole line by whole line, whatever is done to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from riskee.errors import RetryableError
from riskee.market.sources.tail import Place, Tail

Follow = Callable[..., Tail]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n")
    return path


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Makes tails, and closes them."""
    with ExitStack() as stack:

        def made(path: Path, place: Place | None = None) -> Tail:
            tail = Tail(path, place)
            stack.callback(tail.close)
            return tail

        yield made


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


def read(tail: Tail, limit: int = 100) -> list[str]:
    return [line.text.decode() for line in tail.read(limit)]


def test_new_lines_come_as_they_are_written(file: Path, follow: Follow) -> None:
    tail = follow(file)
    assert read(tail) == ["a,b", "1,2"]
    assert read(tail) == []
    append(file, "3,4\n5,6\n")
    assert [(line.text, line.place.lines, line.place.header) for line in tail.read(1)] == [(b"3,4", 3, "a,b")]
    assert read(tail) == ["5,6"]


def test_a_half_written_line_waits_for_its_end(file: Path, follow: Follow) -> None:
    tail = follow(file)
    append(file, "3,")
    assert read(tail) == ["a,b", "1,2"]
    append(file, "4\r\n")
    assert read(tail) == ["3,4"]


def test_a_restart_goes_on_where_it_was(file: Path, follow: Follow) -> None:
    (_, line) = follow(file).read(2)
    append(file, "3,4\n")
    assert read(follow(file, line.place)) == ["3,4"]


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(file: Path, follow: Follow) -> None:
    tail = follow(file)
    read(tail)
    append(file, "last\n")
    file.rename(file.with_suffix(".csv.1"))
    file.write_text("new\n")
    assert read(tail) == ["last"]
    assert read(tail) == ["new"]
    assert tail.place
    assert tail.place.header == "new"


def test_a_file_renamed_while_nobody_read_is_found(file: Path, follow: Follow) -> None:
    (_, line) = follow(file).read(2)
    append(file, "last\n")
    file.rename(file.with_suffix(".csv.1"))
    file.write_text("new\n")
    tail = follow(file, line.place)
    assert read(tail) == ["last"]
    assert read(tail) == ["new"]


def test_a_truncated_file_is_read_from_its_beginning(file: Path, follow: Follow) -> None:
    tail = follow(file)
    read(tail)
    with file.open("w") as stream:
        stream.write("n\n")
    assert read(tail) == ["n"]


def test_a_file_that_begins_otherwise_is_another_one_though_it_has_the_inode(file: Path, follow: Follow) -> None:
    (_, line) = follow(file).read(2)
    with file.open("w") as stream:
        stream.write("a,b\n7,8\n9,10\n")
    assert read(follow(file, line.place)) == ["a,b", "7,8", "9,10"]


def test_a_missing_file_may_come(tmp_path: Path, follow: Follow) -> None:
    tail = follow(tmp_path / "none.csv", Place(1, 5, 1))
    with pytest.raises(RetryableError, match=r"none\.csv cannot be read"):
        tail.read(1)
    (tmp_path / "none.csv").write_text("x\n")
    assert read(tail) == ["x"]


def test_rows_written_just_before_the_rename_are_read(
    file: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail = follow(file)
    read(tail)
    was_replaced = Tail._replaced

    def rotate(self: Tail) -> bool:
        """As if the writer did that between the last read and the look at the path."""
        monkeypatch.setattr(Tail, "_replaced", was_replaced)
        append(file, "3,4\n")
        file.rename(file.with_suffix(".1"))
        file.write_text("a,b\n5,6\n")
        return was_replaced(self)

    monkeypatch.setattr(Tail, "_replaced", rotate)
    assert read(tail) == ["3,4"]
    assert read(tail) == ["a,b", "5,6"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(file: Path, follow: Follow) -> None:
    file.write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    lines = follow(file).read(2)
    assert [(line.text, line.place.header) for line in lines] == [(b"a,b", "a,b"), (b"1,2", "a,b")]
    assert lines[-1].place.offset == file.stat().st_size


def test_a_header_can_be_stored(file: Path, follow: Follow) -> None:
    file.write_bytes(b"a\0,b\n")
    assert "\0" not in follow(file).read(1)[0].place.header


def test_a_line_without_an_end_is_given_in_pieces(file: Path, follow: Follow) -> None:
    append(file, "x" * 200_000)
    assert [len(line) for line in read(follow(file))] == [3, 3, 65536, 65536, 65536]
