"""PostgreSQL's log: from the folder where its archiver leaves it to the target, and back for a restore.

The archiver (`basic_archive`; or `pg_receivewal` on another machine) puts each full segment, on the disk, under its
final name into a folder; `ship` stores it and removes it there. So the database never waits for a distant target.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from riskee.backup.errors import DamagedError
from riskee.backup.repository import WAL, Repository
from riskee.clock import Clock
from riskee.errors import FatalError, NotFoundError, RetryableError
from riskee.settings import Settings

SEGMENT = re.compile(r"[0-9A-F]{24}")
_HISTORY = re.compile(r"[0-9A-F]{8}\.history")
# Not what is being written (`.partial`), as pg_receivewal names it.
_FILE = re.compile(r"[0-9A-F]{24}(\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
# In the header of each segment: the identifier of the cluster that wrote it.
_IDENTIFIER = slice(24, 32)
_BLOCK = 1 << 20
# Beside the clusters' folders. Not sealed: whoever warns has no key.
_SHIPPED_AT = f"{WAL}/shipped_at"
_NOTE_BYTES = 64
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
        clusters = _clusters(segments)
        if not clusters:
            return Shipped(0, "")
        newest = max(clusters)
        shipped = [path for path in files if _shipped(repository, path, clusters.get(path, clusters[newest]))]
    except OSError as error:
        raise RetryableError(f"{folder} cannot be read: {error.strerror}", "check its owner and mode") from error
    return Shipped(len(shipped), newest.name)


def ship_and_note(repository: Repository, folder: Path, clock: Clock) -> Shipped:
    """Ship, and note on the target when that was, for alerts; nothing where there is no folder. Raises as `ship`."""
    if not folder.exists():
        return Shipped(0, "")
    began = clock.now()
    shipped = ship(repository, folder)
    with repository.target.writing(_SHIPPED_AT) as file:
        file.write(began.isoformat().encode())
    return shipped


def shipped_at(repository: Repository) -> datetime | None:
    """What was noted last; None where nothing ever was. Raises DamagedError."""
    if not repository.target.exists(_SHIPPED_AT):
        return None
    with repository.target.reading(_SHIPPED_AT) as file:
        noted = file.read(_NOTE_BYTES)
    try:
        return datetime.fromisoformat(noted.decode()).astimezone(UTC)
    except ValueError as error:
        raise DamagedError(f"{_SHIPPED_AT} holds no time", "`riskee backup ship` writes it anew") from error


def _clusters(segments: Sequence[Path]) -> dict[Path, str]:
    clusters: dict[Path, str] = {}
    for path in segments:
        with suppress(FileNotFoundError):  # another run has just stored and removed it
            clusters[path] = system_identifier(path)
    return clusters


def _shipped(repository: Repository, path: Path, cluster: str) -> bool:
    """Store a file and remove it here; False where another run has just done it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        _store(repository, file, f"{WAL}/{cluster}/{path.name}")
    path.unlink(missing_ok=True)
    return True


def system_identifier(segment: Path) -> str:
    """Which cluster wrote a segment."""
    with segment.open("rb") as file:
        return str(int.from_bytes(file.read(_IDENTIFIER.stop)[_IDENTIFIER], "little"))


def _store(repository: Repository, file: BufferedReader, stored: str) -> None:
    if repository.target.exists(stored) and not _same(repository, file, stored):
        raise FatalError(
            f"{file.name} differs from what the target has of it",
            "two servers are copies of one cluster: give each a target of its own (RISKEE_BACKUP__TARGET)",
        )
    file.seek(0)
    with repository.storing(stored) as storing:
        while block := file.read(_BLOCK):
            storing.write(block)


def _same(repository: Repository, file: BufferedReader, stored: str) -> bool:
    """A stored file that is damaged is not the same, but may be replaced."""
    digest = hashlib.sha256()
    try:
        for block in repository.reading(stored):
            digest.update(block)
    except DamagedError:
        return True
    return digest.digest() == hashlib.file_digest(file, "sha256").digest()


@dataclass(frozen=True)
class Log:
    """Names of a cluster's files of log from a backup on, in order, with all histories; `gap`: the segment after them
    that was not kept, where later ones were ("" for none)."""

    cluster: str = ""
    names: tuple[str, ...] = ()
    gap: str = ""

    @property
    def newest_timeline(self) -> int:
        """That of the segments: a history may be of one that was begun after the gap."""
        return max(int(name[:8], 16) for name in self.names if SEGMENT.fullmatch(name))

    def require_whole(self) -> None:
        """Raises NotFoundError where there is a gap: a recovery ends there."""
        if self.gap:
            raise NotFoundError(
                f"the log lacks the segment …{self.gap}: only what was before it can be restored",
                "restore without --at and --timeline, or from a backup that is newer than the gap",
            )


def needed_log(repository: Repository, cluster: str, first: str) -> Log:
    """The log from a backup's first segment up to its end or a gap; nothing where that first one was not kept."""
    names = repository.target.names(f"{WAL}/{cluster}")
    segments = [name for name in names if SEGMENT.fullmatch(name) and name[8:24] >= first[8:24]]
    places = {name[8:24] for name in segments}
    if first[8:24] not in places:
        return Log()
    gap = next((place for place in _places(first, max(places)) if place not in places), "")
    kept = [name for name in segments if not gap or name[8:24] < gap]
    return Log(cluster, (*(name for name in names if _HISTORY.fullmatch(name)), *kept), gap)


def _places(first: str, last_place: str) -> Iterator[str]:
    """The names' last 16 digits from one segment to another."""
    number = int(first[8:16], 16) * _SEGMENTS_PER_LOG + int(first[16:24], 16)
    while True:
        place = f"{number // _SEGMENTS_PER_LOG:08X}{number % _SEGMENTS_PER_LOG:08X}"
        yield place
        if place >= last_place:
            return
        number += 1


def fetch(repository: Repository, log: Log, folder: Path) -> Iterator[str]:
    """Bring the log's files into a folder; says each name when it is there. Raises DamagedError for what is not whole.

    The rest of a segment that was ended early is zeros: they take no room on the disk.
    """
    for name in log.names:
        with (folder / name).open("wb") as file:
            for block in repository.reading(f"{WAL}/{log.cluster}/{name}"):
                if block.count(0) == len(block):
                    file.seek(len(block), os.SEEK_CUR)
                else:
                    file.write(block)
            file.truncate()
        yield name
