"""Whether a backup is whole: every object is read, opened, unpacked and compared with the manifest."""

from dataclasses import dataclass

from riskee.backup.creating import Telling
from riskee.backup.manifest import Manifest, Part
from riskee.backup.repository import WAL, Repository
from riskee.backup.wal import Log, needed_log

_TOLD = 16


@dataclass(frozen=True)
class Verified:
    """What was found whole."""

    backup_id: str
    objects: int
    stored_bytes: int
    wal_files: int


def verify(
    repository: Repository, manifest: Manifest, telling: Telling, *, wal: bool = True, to_gap: bool = False
) -> Verified:
    """Read the whole backup and, with `wal`, the log that follows it. Raises DamagedError, and NotFoundError for what
    is missing; with `to_gap` the log is read as far as it can be replayed.
    """
    objects = [one for part in manifest.parts for one in part.objects]
    for one in objects:
        telling.tell(one.name)
        repository.check(one)
    log = log_after(repository, manifest.part("postgres")) if wal else Log()
    if not to_gap:
        log.require_whole()
    for number, name in enumerate(log.names):
        if number % _TOLD == 0:
            telling.tell(f"log: {number} of {len(log.names)}")
        for _ in repository.reading(f"{WAL}/{log.cluster}/{name}"):
            pass
    return Verified(manifest.backup_id, len(objects), manifest.stored_bytes, len(log.names))


def log_after(repository: Repository, part: Part | None) -> Log:
    """The log from a backup on; nothing where none was kept."""
    if part is None:
        return Log()
    return needed_log(repository, part.facts["system_identifier"], part.facts["first_wal"])
