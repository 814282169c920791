"""Which backups are kept: the newest ones, and the last of each of some days and weeks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from riskee.backup.manifest import PARTIAL_SUFFIX
from riskee.backup.newest import time_of
from riskee.backup.repository import WAL, Repository
from riskee.settings import BackupSettings

# One that is not complete after so long never will be.
ABANDONED = timedelta(days=1)


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    kept: tuple[str, ...]
    removed: tuple[str, ...]
    abandoned: tuple[str, ...]
    wal_files: int


def kept_ids(ids: Sequence[str], settings: BackupSettings) -> list[str]:
    """Of complete backups, the newest first, those that the policy keeps.

    One without all systems takes the place of no whole one; of these the newest are kept.
    """
    some = [one for one in ids if one.endswith(PARTIAL_SUFFIX)]
    whole = [one for one in ids if one not in some]
    kept = {*whole[: settings.keep_last], *some[: settings.keep_last]}
    kept |= _last_of_each(whole, settings.keep_daily, lambda at: (at.year, at.month, at.day))
    kept |= _last_of_each(whole, settings.keep_weekly, lambda at: at.isocalendar()[:2])
    return [one for one in ids if one in kept]


def _last_of_each(ids: Sequence[str], count: int, period: Callable[[datetime], tuple[int, ...]]) -> set[str]:
    chosen: dict[tuple[int, ...], str] = {}
    for one in ids:
        chosen.setdefault(period(time_of(one)), one)
    return {chosen[key] for key in sorted(chosen, reverse=True)[:count]}


def prune(repository: Repository, settings: BackupSettings, now: datetime, *, dry_run: bool = False) -> Pruned:
    """Remove what the policy does not keep, what was never completed, and the log that no kept backup needs."""
    ids = repository.ids()
    kept = kept_ids(ids, settings)
    removed = [one for one in ids if one not in kept]
    abandoned = [one for one in repository.incomplete_ids() if now - time_of(one) > ABANDONED]
    needless = _needless_wal(repository, kept)
    if not dry_run:
        for one in (*removed, *abandoned):
            repository.remove(one)
        for path in needless:
            repository.target.remove(path)
    return Pruned(tuple(kept), tuple(removed), tuple(abandoned), len(needless))


def _needless_wal(repository: Repository, kept: Sequence[str]) -> list[str]:
    """Paths of the log's files from before the oldest kept backup of their cluster.

    Of a cluster without a backup nothing is removed: its first backup may be under way. Nor are histories of
    timelines, which are small and always needed.
    """
    oldest: dict[str, str] = {}
    for one in kept:
        part = repository.manifest(one).part("postgres")
        if part is not None:
            cluster, start = part.facts["system_identifier"], part.facts["first_wal"]
            oldest[cluster] = min(oldest.get(cluster, start), start, key=position)
    return [
        f"{WAL}/{cluster}/{name}"
        for cluster, start in oldest.items()
        for name in repository.target.names(f"{WAL}/{cluster}")
        if not name.endswith(".history") and position(name) < position(start)
    ]


def position(wal_name: str) -> str:
    """The place of a file in the log, whatever its timeline: names are timeline, then place, 8 and 16 digits."""
    return wal_name[8:24]
