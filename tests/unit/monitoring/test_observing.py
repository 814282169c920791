"""record's look at the whole: what cannot be seen leaves the rest, and record itself, alone."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from riskee.backup.repository import repository_of
from riskee.backup.wal import ship_and_note
from riskee.clock import FixedClock
from riskee.settings import BackupSettings, DagsterSettings, PredictSettings, Settings
from riskee.telemetry import (
    BACKUP_COMPLETED,
    BACKUP_TARGETS,
    DAGSTER_UP,
    DISK_FREE,
    DISK_SIZE,
    OBSERVED,
    PREDICTORS_EXPECTED,
)
from serving.consumers.observing import Observer
from serving.consumers.service import Service
from serving.database import Database
from tests.unit.monitoring.test_shown import samples

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class Denied:
    """A database that refuses in its own words, and a service whose bus is no bus."""

    settings: Settings
    clock: FixedClock
    bus: None = None

    async def run(self, _work: object) -> Any:
        raise RuntimeError("permission denied for table track_record")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """What was asked of Dagster, whose daemon is ill."""
    questions: list[tuple[str, float]] = []

    def parts_up(url: str, now: float) -> dict[str, bool]:
        questions.append((url, now))
        return {"webserver": True, "daemon": False}

    monkeypatch.setattr("serving.consumers.observing.parts_up", parts_up)
    return questions


async def test_what_cannot_be_observed_leaves_the_rest(tmp_path: Path) -> None:
    OBSERVED.clear()
    denied = Denied(Settings(home=tmp_path), FixedClock(NOW))
    await Observer(cast("Service", denied), cast("Database", denied)).look()
    assert samples(OBSERVED) == dict.fromkeys([("disk",), ("dagster",), ("backups",)], NOW.timestamp())
    assert 0 < samples(DISK_FREE)["home",] <= samples(DISK_SIZE)["home",]


async def test_that_there_is_no_backup_and_when_the_log_was_stored_is_told(tmp_path: Path) -> None:
    BACKUP_COMPLETED.clear()
    kept = BackupSettings(target=str(tmp_path / "backups"), wal_archive=True)
    denied = Denied(Settings(home=tmp_path, backup=kept), FixedClock(NOW))
    observer = Observer(cast("Service", denied), cast("Database", denied))
    await observer.look()
    assert samples(BACKUP_COMPLETED) == {("full",): 0, ("log",): 0}
    (tmp_path / "wal").mkdir()
    ship_and_note(repository_of(denied.settings), tmp_path / "wal", denied.clock)
    await observer.look()
    assert samples(BACKUP_COMPLETED) == {("full",): 0, ("log",): NOW.timestamp()}


async def test_how_many_predictors_there_should_be_is_told(tmp_path: Path) -> None:
    denied = Denied(Settings(home=tmp_path, predict=PredictSettings(processes=3)), FixedClock(NOW))
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await Observer(cast("Service", denied), cast("Database", denied)).run()
    assert samples(PREDICTORS_EXPECTED) == {(): 3}


async def test_what_works_of_dagster_is_told(tmp_path: Path, asked: list[tuple[str, float]]) -> None:
    DAGSTER_UP.clear()
    denied = Denied(Settings(home=tmp_path, dagster=DagsterSettings(url="http://dagster:3000")), FixedClock(NOW))
    await Observer(cast("Service", denied), cast("Database", denied)).look()
    assert asked == [("http://dagster:3000", NOW.timestamp())]
    assert samples(DAGSTER_UP) == {("webserver",): 1, ("daemon",): 0}


@pytest.mark.parametrize("target", ["", "/mnt/backups"])
async def test_whether_anybody_said_where_to_keep_backups_is_told(target: str, tmp_path: Path) -> None:
    BACKUP_TARGETS.clear()
    kept = BackupSettings(target=target and str(tmp_path / target.strip("/")))
    denied = Denied(Settings(home=tmp_path, profile="kubernetes", backup=kept), FixedClock(NOW))
    await Observer(cast("Service", denied), cast("Database", denied)).look()
    assert samples(BACKUP_TARGETS) == {("kubernetes",): bool(target)}
