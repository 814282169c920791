"""PostgreSQL's log on its way to the target and back."""

from pathlib import Path

import pytest

from riskee.backup.repository import Repository
from riskee.backup.target import Target
from riskee.backup.wal import Shipped, fetch, needed_names, ship
from riskee.errors import FatalError, NotFoundError

SEGMENT = 16 * 2**20
FIRST, SECOND = "0000000100000000000000FF", "000000010000000100000000"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Target(str(tmp_path / "kept")), bytes(range(32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wal"
    folder.mkdir()
    return folder


def segment(content: bytes = b"") -> bytes:
    return (bytes(24) + (7).to_bytes(8, "little") + content).ljust(SEGMENT, b"\0")


def test_what_was_shipped_is_removed_here_and_comes_back_whole(repository: Repository, folder: Path) -> None:
    content = segment(b"some of the log" * 100)
    for name in (FIRST, SECOND):
        (folder / name).write_bytes(content)
    (folder / "00000002.history").write_text("1\t0/1\tno reason\n")
    for left in ("archtemp.000000010000000000000003.17", "000000010000000100000001.partial"):
        (folder / left).write_bytes(b"being written")
    assert ship(repository, folder) == Shipped(3, SECOND)
    assert sorted(path.name for path in folder.iterdir()) == [
        "000000010000000100000001.partial", "archtemp.000000010000000000000003.17",
    ]  # fmt: skip
    assert ship(repository, folder) == Shipped(0, "")
    names = needed_names(repository, "7", FIRST)
    assert names == ["00000002.history", FIRST, SECOND]
    back = folder.parent / "back"
    back.mkdir()
    assert list(fetch(repository, "7", names, back)) == names
    assert (back / SECOND).read_bytes() == content
    assert (back / SECOND).stat().st_blocks * 512 < SEGMENT // 4, "zeros take no room"


def test_shipping_again_what_is_there_is_safe_and_another_content_refused(repository: Repository, folder: Path) -> None:
    for _ in range(2):
        (folder / FIRST).write_bytes(segment(b"one"))
        ship(repository, folder)
    (folder / FIRST).write_bytes(segment(b"two"))
    with pytest.raises(FatalError, match="two servers are copies of one cluster"):
        ship(repository, folder)
    assert (folder / FIRST).exists()


def test_a_missing_segment_is_found_before_a_restore(repository: Repository, folder: Path) -> None:
    for name in (FIRST, "000000010000000100000001"):
        (folder / name).write_bytes(segment())
    ship(repository, folder)
    with pytest.raises(NotFoundError, match=f"lacks the segment …{SECOND[8:]}"):
        needed_names(repository, "7", FIRST)
    assert needed_names(repository, "7", SECOND) == [], "where the first was not kept there is no log to speak of"


def test_nowhere_is_nothing_to_ship(repository: Repository, tmp_path: Path) -> None:
    assert ship(repository, tmp_path / "nowhere") == Shipped(0, "")
