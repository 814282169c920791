"""When the last backup was made, and the log stored: for alerts, so without a key and in a few small reads."""

from collections.abc import Mapping
from datetime import UTC, datetime

from riskee.backup.manifest import ID_FORM, PARTIAL_SUFFIX
from riskee.backup.repository import Repository
from riskee.backup.target import target_of
from riskee.backup.wal import shipped_at
from riskee.settings import Settings


def completed_at(settings: Settings) -> Mapping[str, datetime | None]:
    """When the newest complete backup (`full`) began and, where one is kept, the log (`log`) was last stored.

    None where that never was. Raises RetryableError where the target does not answer, DamagedError for a time that
    cannot be read.
    """
    repository = Repository(target_of(settings), None)
    newest = next((one for one in repository.ids() if not one.endswith(PARTIAL_SUFFIX)), None)
    times = {"full": None if newest is None else time_of(newest)}
    if settings.backup.wal_archive or settings.backup.wal_folder:
        times["log"] = shipped_at(repository)
    return times


def time_of(backup_id: str) -> datetime:
    """When a backup began."""
    return datetime.strptime(backup_id.removesuffix(PARTIAL_SUFFIX), ID_FORM).replace(tzinfo=UTC)
