"""When the last backup was made: for alerts, so without a key, from names alone."""

from collections.abc import Mapping
from datetime import UTC, datetime

from riskee.backup.manifest import ID_FORM, PARTIAL_SUFFIX
from riskee.backup.repository import Repository
from riskee.backup.target import target_of
from riskee.settings import Settings


def completed_at(settings: Settings) -> Mapping[str, datetime]:
    """By kind (`full`), the time that the newest complete backup began; empty where there is none.

    Raises RetryableError where the target does not answer.
    """
    ids = Repository(target_of(settings), None).ids()
    newest = next((one for one in ids if not one.endswith(PARTIAL_SUFFIX)), None)
    return {} if newest is None else {"full": time_of(newest)}


def time_of(backup_id: str) -> datetime:
    """When a backup began."""
    return datetime.strptime(backup_id.removesuffix(PARTIAL_SUFFIX), ID_FORM).replace(tzinfo=UTC)
