"""Which backups and which of the log are kept."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.backup.manifest import ID_FORM
from riskee.backup.repository import Repository
from riskee.backup.retention import ABANDONED, kept_ids, prune
from riskee.backup.target import Target
from riskee.settings import BackupSettings
from tests.unit.backup.test_repository import START, stored


def ids(*days_before: float) -> list[str]:
    return [(START - timedelta(days=days)).strftime(ID_FORM) for days in days_before]


def test_the_last_of_each_day_and_week_is_kept() -> None:
    settings = BackupSettings(keep_last=2, keep_daily=3, keep_weekly=3)
    # The 22nd is a Sunday: the last of its week is of that day, of the weeks before the 15th and the 8th.
    made = ids(0, 0.05, 0.06, 1, 1.01, 2, 3, 6, 7, 8, 14, 20, 21)
    kept = kept_ids(made, settings)
    assert kept == ids(0, 0.05, 1, 2, 7, 14)


def test_one_without_all_systems_takes_the_place_of_no_whole_one() -> None:
    settings = BackupSettings(keep_last=1, keep_daily=0, keep_weekly=0)
    some, whole = [f"{one}-some" for one in ids(0, 1, 2)], ids(3, 4)
    assert kept_ids([*some, *whole], settings) == [some[0], whole[0]]


@given(
    st.lists(st.integers(0, 400), unique=True, max_size=40),
    st.integers(1, 5), st.integers(0, 10), st.integers(0, 10),
)  # fmt: skip
def test_never_fewer_than_the_newest_and_never_more_than_asked(
    days: list[int], last: int, daily: int, weekly: int
) -> None:
    made = ids(*sorted(days))
    kept = kept_ids(made, BackupSettings(keep_last=last, keep_daily=daily, keep_weekly=weekly))
    assert kept[: min(last, len(made))] == made[:last]
    assert len(kept) <= last + daily + weekly


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Target(str(tmp_path)), None)


def _wal(repository: Repository, *names: str, cluster: str = "7") -> None:
    for name in names:
        with repository.storing(f"wal/{cluster}/{name}") as storing:
            storing.write(b"log")


def test_prune_removes_what_is_too_old_and_the_log_before_the_oldest_kept(repository: Repository) -> None:
    begun = {0: "000000020000000000000006", 1: "000000010000000000000005", 2: "000000010000000000000004"}
    made = [stored(repository, START - timedelta(days=d), first_wal=wal).backup_id for d, wal in begun.items()]
    (Path(repository.target.address) / "backups" / ids(5)[0] / "nats").mkdir(parents=True)
    (Path(repository.target.address) / "backups" / ids(0.5)[0] / "nats").mkdir(parents=True)
    before, first = "000000010000000000000004", "000000010000000000000005"
    later = "000000020000000000000006"
    _wal(repository, "00000002.history", before, first, f"{first}.00000028.backup", later)
    _wal(repository, before, cluster="8")
    settings = BackupSettings(keep_last=2, keep_daily=0, keep_weekly=0)
    dry = prune(repository, settings, START, dry_run=True)
    assert repository.ids() == made
    assert prune(repository, settings, START) == dry
    assert repository.ids() == made[:2]
    assert dry.removed == (made[2],)
    assert dry.abandoned == tuple(ids(5))
    assert timedelta(days=0.5) < ABANDONED, "one that may be under way stays"
    assert repository.incomplete_ids() == ids(0.5)
    assert repository.target.names("wal/7") == [first, f"{first}.00000028.backup", "00000002.history", later]
    assert repository.target.names("wal/8") == [before], "its first backup may be under way"
