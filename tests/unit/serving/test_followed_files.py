"""The files of a folder: each row once, whatever its file is renamed to, and the others where one cannot be read."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from riskee.market.sources.live_rows import LiveRow
from riskee.market.sources.tail import Line, Place, Tail
from serving.consumers.feeds import followed
from serving.consumers.feeds.followed import FollowedFiles

Follow = Callable[..., FollowedFiles]
HEADER = "ticker,time,price,size"


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    with ExitStack() as stack:

        def made(places: dict[str, Place] | None = None) -> FollowedFiles:
            files = FollowedFiles(tmp_path, dict(places or {}))
            stack.callback(files.close)
            return files

        yield made


def append(path: Path, *prices: int) -> None:
    new = not path.exists()
    with path.open("a") as stream:
        stream.write(f"{HEADER}\n" if new else "")
        stream.write("".join(f"V,2019-02-14T15:00:{price:02}Z,{price},1\n" for price in prices))


def prices(files: FollowedFiles) -> list[float]:
    return [found.row.span.close for found in files.read() if isinstance(found.row, LiveRow)]


@pytest.mark.parametrize("new", ["a.old.csv", "z.csv"])
def test_a_renamed_file_has_one_reader(tmp_path: Path, follow: Follow, new: str) -> None:
    files = follow()
    append(tmp_path / "b.csv", 1, 2)
    assert prices(files) == [1, 2]
    append(tmp_path / "b.csv", 3)
    (tmp_path / "b.csv").rename(tmp_path / new)
    assert prices(files) == [3]
    append(tmp_path / "b.csv", 4)
    append(tmp_path / new, 5)
    assert prices(files) == [4, 5]
    assert prices(files) == []
    assert sorted(files.places) == sorted(str(tmp_path / name) for name in ("b.csv", new))


def test_a_chain_of_renames_moves_each_reader(tmp_path: Path, follow: Follow) -> None:
    files = follow()
    append(tmp_path / "a.1.csv", 1)
    append(tmp_path / "a.csv", 2)
    assert prices(files) == [1, 2]
    append(tmp_path / "a.csv", 3)
    (tmp_path / "a.1.csv").rename(tmp_path / "a.2.csv")
    (tmp_path / "a.csv").rename(tmp_path / "a.1.csv")
    append(tmp_path / "a.csv", 4)
    assert prices(files) == [3, 4]


@pytest.mark.parametrize("new", ["a.old.csv", "z.csv"])
def test_a_file_renamed_while_nobody_read_goes_on(tmp_path: Path, follow: Follow, new: str) -> None:
    append(tmp_path / "b.csv", 1)
    before = follow()
    assert prices(before) == [1]
    append(tmp_path / "b.csv", 2)
    (tmp_path / "b.csv").rename(tmp_path / new)
    append(tmp_path / "b.csv", 3)
    after = follow(before.places)
    assert prices(after) + prices(after) == [2, 3]


def test_a_file_renamed_between_look_and_read_is_not_read_again(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = follow()
    append(tmp_path / "b.csv", 1)
    assert prices(files) == [1]
    look = FollowedFiles._look

    def rotate(self: FollowedFiles) -> None:
        look(self)
        (tmp_path / "b.csv").rename(tmp_path / "b.1.csv")
        append(tmp_path / "b.csv", 2)

    with monkeypatch.context() as patch:
        patch.setattr(FollowedFiles, "_look", rotate)
        assert prices(files) == [2]
    assert prices(files) == []


def test_one_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path, follow: Follow) -> None:
    files = follow()
    (tmp_path / "a.csv").mkdir()
    append(tmp_path / "b.csv", 1)
    assert prices(files) == [1]
    assert "a.csv cannot be read" in files.unreadable[str(tmp_path / "a.csv")]
    (tmp_path / "a.csv").rmdir()
    append(tmp_path / "b.csv", 2)
    assert prices(files) == [2]


def test_what_is_gone_is_forgotten_once_it_was_read(tmp_path: Path, follow: Follow) -> None:
    files = follow()
    append(tmp_path / "a.csv", 1)
    append(tmp_path / "b.csv", 2)
    assert prices(files) == [1, 2]
    (tmp_path / "a.csv").unlink()
    files.forget_gone()
    assert list(files.places) == [str(tmp_path / "b.csv")]
    assert prices(files) == []


def test_what_is_gone_is_not_forgotten_while_more_of_it_is_unread(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "_AT_ONCE", 3)
    files = follow()
    append(tmp_path / "a.csv", 1, 2, 3, 4)
    assert prices(files) == [1, 2]
    (tmp_path / "a.csv").unlink()
    files.forget_gone()
    assert prices(files) == [3, 4]
    files.forget_gone()
    assert files.places == {}
    assert opened(tmp_path) == 0


def opened(folder: Path) -> int:
    """How many files of a folder this process has open."""
    links = Path("/proc/self/fd").iterdir()
    return sum(link.is_symlink() and str(link.readlink()).startswith(f"{folder}/") for link in links)


def test_of_many_files_those_are_open_that_grew_last(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "_MOST_OPEN", 2)
    files = follow()
    for number in range(5):
        append(tmp_path / f"{number}.csv", number + 1)
    assert prices(files) == [1, 2, 3, 4, 5]
    assert opened(tmp_path) == 2
    append(tmp_path / "1.csv", 6)
    append(tmp_path / "0.csv", 7)
    assert prices(files) == [6, 7]
    assert prices(files) == []
    assert opened(tmp_path) == 2
    # What is written to open ones just before they go is read, what idle ones leave behind is no trouble.
    append(tmp_path / "0.csv", 8)
    for name in ("0", "3"):
        (tmp_path / f"{name}.csv").unlink()
    assert prices(files) == [8]
    assert files.unreadable == {}
    files.forget_gone()
    assert sorted(files.places) == [str(tmp_path / f"{number}.csv") for number in (1, 2, 4)]
    assert opened(tmp_path) == 1


def test_a_file_that_was_given_back_goes_on_where_it_was_read_to(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "_MOST_OPEN", 0)
    files = follow()
    append(tmp_path / "a.csv", 1)
    assert prices(files) == [1]
    append(tmp_path / "a.csv", 2)
    (tmp_path / "a.csv").rename(tmp_path / "a.1.csv")
    append(tmp_path / "a.csv", 3)
    assert prices(files) + prices(files) == [2, 3]
    assert opened(tmp_path) == 0


def test_what_was_written_anew_to_the_same_length_is_read_though_the_file_was_given_back(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "_MOST_OPEN", 0)
    files, file = follow(), tmp_path / "a.csv"
    append(file, 1)
    assert prices(files) == [1]
    file.write_text(f"{HEADER}\n")
    append(file, 2)
    later(file)
    assert prices(files) == [2]
    # Nor is what only looks as if it had been written to read again.
    later(file)
    assert prices(files) == []
    assert opened(tmp_path) == 0


def later(file: Path) -> None:
    """A second later by the file's own time: what is written within one tick of the system's has the same."""
    written = file.stat().st_mtime_ns + 1_000_000_000
    os.utime(file, ns=(written, written))


def test_a_file_that_nobody_writes_to_is_looked_at_and_not_opened(
    tmp_path: Path, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "_MOST_OPEN", 0)
    append(tmp_path / "a.csv", 1)
    before = follow()
    assert prices(before) == [1]
    files = follow(before.places)
    assert prices(files) == [], "once, for it may have been written anew while nobody read"

    def refuse(_tail: Tail, _limit: int) -> list[Line]:
        raise AssertionError

    monkeypatch.setattr(Tail, "read", refuse)
    assert prices(files) == []
