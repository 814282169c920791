"""Whether a backup is whole: every object is read, opened, unpacked and compared with the manifest."""

from dataclasses import dataclass

from riskee.backup.creating import Telling
from riskee.backup.manifest import Manifest, Part
from riskee.backup.repository import WAL, Repository
from riskee.backup.wal import needed_names

_TOLD = 16


@dataclass(frozen=True)
class Verified:
    """What was found whole."""

    backup_id: str
    objects: int
    stored_bytes: int
    wal_files: int


def verify(repository: Repository, manifest: Manifest, telling: Telling, *, wal: bool = True) -> Verified:
    """Read the whole backup and, with `wal`, the log that follows it. Raises DamagedError and NotFoundError."""
    objects = [one for part in manifest.parts for one in part.objects]
    for one in objects:
        telling.tell(one.name)
        repository.check(one)
    names = log_after(repository, manifest.part("postgres")) if wal else []
    for number, path in enumerate(names):
        if number % _TOLD == 0:
            telling.tell(f"log: {number} of {len(names)}")
        for _ in repository.reading(path):
            pass
    return Verified(manifest.backup_id, len(objects), manifest.stored_bytes, len(names))


def log_after(repository: Repository, part: Part | None) -> list[str]:
    """Paths of the log from a backup on; nothing where none was kept. Raises NotFoundError where one is missing."""
    if part is None:
        return []
    cluster = part.facts["system_identifier"]
    return [f"{WAL}/{cluster}/{name}" for name in needed_names(repository, cluster, part.facts["first_wal"])]
