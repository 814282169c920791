"""The files of a folder: each row once, whatever its file is renamed to, and the others where one cannot be read."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from riskee.market.sources.live_rows import LiveRow
from riskee.market.sources.tail import Place
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
