"""PostgreSQL's log on its way to the target and back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from riskee.backup.errors import DamagedError
from riskee.backup.repository import WAL, Repository
from riskee.backup.target import Target
from riskee.backup.wal import (
    Log,
    Shipped,
    fetch,
    needed_log,
    ship,
    ship_and_note,
    shipped_at,
    system_identifier,
)
from riskee.clock import FixedClock
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
    log = needed_log(repository, "7", FIRST)
    assert log == Log("7", ("00000002.history", FIRST, SECOND))
    back = folder.parent / "back"
    back.mkdir()
    assert tuple(fetch(repository, log, back)) == log.names
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


def test_a_missing_segment_ends_the_log(repository: Repository, folder: Path) -> None:
    for name in (FIRST, "000000020000000100000001"):
        (folder / name).write_bytes(segment())
    (folder / "00000002.history").write_text("1\t0/1\tno reason\n")
    ship(repository, folder)
    log = needed_log(repository, "7", FIRST)
    assert log == Log("7", ("00000002.history", FIRST), SECOND[8:])
    assert log.newest_timeline == 1, "the other was begun after the gap"
    with pytest.raises(NotFoundError, match=f"lacks the segment …{SECOND[8:]}"):
        log.require_whole()
    assert needed_log(repository, "7", SECOND) == Log(), "where the first was not kept there is no log to speak of"


@pytest.mark.parametrize("when", ["is looked at", "is stored"])
def test_what_another_run_has_just_shipped_is_left_out(
    repository: Repository, folder: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    for name in (FIRST, SECOND):
        (folder / name).write_bytes(segment())

    def identifier(path: Path) -> str:
        found = system_identifier(path) if when == "is stored" else ""
        if path.name == FIRST:
            path.unlink()
        return found or system_identifier(path)

    monkeypatch.setattr("riskee.backup.wal.system_identifier", identifier)
    assert ship(repository, folder) == Shipped(1, SECOND)


def test_two_runs_that_store_one_file_do_not_mix_it(repository: Repository) -> None:
    with repository.storing("wal/7/one") as first:
        first.write(b"content" * 99)
        with repository.storing("wal/7/one") as second:
            second.write(b"content" * 99)
    assert b"".join(repository.reading("wal/7/one")) == b"content" * 99


def test_nowhere_is_nothing_to_ship(repository: Repository, tmp_path: Path) -> None:
    assert ship(repository, tmp_path / "nowhere") == Shipped(0, "")


def test_when_the_log_was_stored_is_noted_even_if_there_was_nothing_to_store(
    repository: Repository, folder: Path
) -> None:
    """Of a database in which nobody writes there is no log; it is not late."""
    assert shipped_at(repository) is None
    first = datetime(2026, 1, 5, 9, tzinfo=UTC)
    (folder / FIRST).write_bytes(segment())
    assert ship_and_note(repository, folder, FixedClock(first)) == Shipped(1, FIRST)
    assert shipped_at(Repository(repository.target, None)) == first, "without a key"
    later = first + timedelta(minutes=5)
    assert ship_and_note(repository, folder, FixedClock(later)) == Shipped(0, "")
    assert shipped_at(repository) == later
    assert needed_log(repository, "7", FIRST) == Log("7", (FIRST,))


def test_what_could_not_be_stored_is_not_noted(repository: Repository, folder: Path) -> None:
    clock = FixedClock(datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert ship_and_note(repository, folder.parent / "nowhere", clock) == Shipped(0, "")
    for content in (b"one", b"two"):
        (folder / FIRST).write_bytes(segment(content))
        if content == b"one":
            ship(repository, folder)
    with pytest.raises(FatalError, match="two servers are copies of one cluster"):
        ship_and_note(repository, folder, clock)
    assert shipped_at(repository) is None


def test_a_note_that_is_no_time_is_named(repository: Repository) -> None:
    with repository.target.writing(f"{WAL}/shipped_at") as file:
        file.write(b"yesterday")
    with pytest.raises(DamagedError, match="shipped_at holds no time"):
        shipped_at(repository)
