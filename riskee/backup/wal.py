"""PostgreSQL's log: from the folder where its archiver leaves it to the target, and back for a restore.

The archiver (`basic_archive`; or `pg_receivewal` on another machine) puts each full segment, on the disk, under its
final name into a folder; `ship` stores it and removes it there. So the database never waits for a distant target.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from riskee.backup.errors import DamagedError
from riskee.backup.repository import WAL, Repository
from riskee.errors import FatalError, NotFoundError, RetryableError
from riskee.settings import Settings

SEGMENT = re.compile(r"[0-9A-F]{24}")
_HISTORY = re.compile(r"[0-9A-F]{8}\.history")
# Not what is being written (`.partial`), as pg_receivewal names it.
_FILE = re.compile(r"[0-9A-F]{24}(\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
# In the header of each segment: the identifier of the cluster that wrote it.
_IDENTIFIER = slice(24, 32)
_BLOCK = 1 << 20
_SEGMENTS_PER_LOG = 0x100  # of 16 MiB


@dataclass(frozen=True)
class Shipped:
    """What was stored of the log."""

    files: int
    newest: str


def wal_folder(settings: Settings) -> Path:
    """Where the archiver leaves the log."""
    return settings.backup.wal_folder or settings.home / "data" / "wal"


def ship(repository: Repository, folder: Path) -> Shipped:
    """Store what the archiver has left and remove it there; nothing where there is no folder.

    Raises FatalError where the target has another file of that name: two servers write the log of one cluster.
    """
    try:
        files = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name)) if folder.exists() else []
        segments = [path for path in files if SEGMENT.fullmatch(path.name)]
        if not segments:  # a history alone waits for a segment, which says whose it is
            return Shipped(0, "")
        clusters = {path: system_identifier(path) for path in segments}
        for path in files:
            cluster = clusters.get(path, clusters[segments[-1]])
            _store(repository, path, f"{WAL}/{cluster}/{path.name}")
            path.unlink()
    except OSError as error:
        raise RetryableError(f"{folder} cannot be read: {error.strerror}", "check its owner and mode") from error
    return Shipped(len(files), segments[-1].name)


def system_identifier(segment: Path) -> str:
    """Which cluster wrote a segment."""
    with segment.open("rb") as file:
        return str(int.from_bytes(file.read(_IDENTIFIER.stop)[_IDENTIFIER], "little"))


def _store(repository: Repository, path: Path, stored: str) -> None:
    if repository.target.exists(stored) and not _same(repository, path, stored):
        raise FatalError(
            f"{path} differs from what the target has of it",
            "two servers are copies of one cluster: give each a target of its own (RISKEE_BACKUP__TARGET)",
        )
    with repository.storing(stored) as storing, path.open("rb") as file:
        while block := file.read(_BLOCK):
            storing.write(block)


def _same(repository: Repository, path: Path, stored: str) -> bool:
    """A stored file that is damaged is not the same, but may be replaced."""
    digest = hashlib.sha256()
    try:
        for block in repository.reading(stored):
            digest.update(block)
    except DamagedError:
        return True
    return digest.digest() == hashlib.sha256(path.read_bytes()).digest()


def needed_names(repository: Repository, cluster: str, first: str) -> list[str]:
    """The log's files from a backup's first segment on, and all histories; nothing where that first one was not kept.

    Raises NotFoundError where one is missing in between: the recovery would end there.
    """
    names = repository.target.names(f"{WAL}/{cluster}")
    segments = [name for name in names if SEGMENT.fullmatch(name) and name[8:24] >= first[8:24]]
    places = {name[8:24] for name in segments}
    if first[8:24] not in places:
        return []
    gap = next((place for place in _places(first, max(places)) if place not in places), None)
    if gap is not None:
        raise NotFoundError(
            f"the log lacks the segment …{gap}: only what was before it can be restored",
            "restore without --at, or from a backup that is newer than the gap",
        )
    return [name for name in names if _HISTORY.fullmatch(name)] + segments


def _places(first: str, last_place: str) -> Iterator[str]:
    """The names' last 16 digits from one segment to another."""
    number = int(first[8:16], 16) * _SEGMENTS_PER_LOG + int(first[16:24], 16)
    while True:
        place = f"{number // _SEGMENTS_PER_LOG:08X}{number % _SEGMENTS_PER_LOG:08X}"
        yield place
        if place >= last_place:
            return
        number += 1


def fetch(repository: Repository, cluster: str, names: Sequence[str], folder: Path) -> Iterator[str]:
    """Bring the log's files into a folder; says each name when it is there. Raises DamagedError for what is not whole.

    The rest of a segment that was ended early is zeros: they take no room on the disk.
    """
    for name in names:
        with (folder / name).open("wb") as file:
            for block in repository.reading(f"{WAL}/{cluster}/{name}"):
                if block.count(0) == len(block):
                    file.seek(len(block), os.SEEK_CUR)
                else:
                    file.write(block)
            file.truncate()
        yield name
