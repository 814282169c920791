"""record's look at the whole: what cannot be seen leaves the rest, and record itself, alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from riskee.clock import FixedClock
from riskee.settings import Settings
from riskee.telemetry import DISK_FREE, DISK_SIZE, OBSERVED
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


async def test_what_cannot_be_observed_leaves_the_rest(tmp_path: Path) -> None:
    OBSERVED.clear()
    denied = Denied(Settings(home=tmp_path), FixedClock(NOW))
    await Observer(cast("Service", denied), cast("Database", denied)).look()
    assert samples(OBSERVED) == {("disk",): NOW.timestamp(), ("backups",): NOW.timestamp()}
    assert 0 < samples(DISK_FREE)["home",] <= samples(DISK_SIZE)["home",]
