"""What no single message shows, as metrics: the database, the disk, the streams, the champions' record, Dagster.

record does it beside its work: it has the database and the bus, and there is one of it. What cannot be read keeps its
last value; `riskee_observed_timestamp_seconds` tells how old that is.
"""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import nats

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.subjects import WATCH_OF
from riskee.storage.condition import Outcomes, champion_outcomes, condition
from riskee.storage.follow import Follower
from riskee.telemetry import (
    BACKUP_COMPLETED,
    BACKUP_TARGETS,
    BUS_STREAM_LIMIT,
    BUS_STREAM_MESSAGES,
    BUS_STREAM_SIZE,
    DAGSTER_UP,
    DATABASE_BEGUN,
    DATABASE_CONNECTIONS,
    DATABASE_CONNECTIONS_LIMIT,
    DATABASE_SIZE,
    DECAY_EVIDENCE,
    DISK_FREE,
    DISK_SIZE,
    DRIFT_DISTANCE,
    DRIFT_P_VALUE,
    MODEL_WATCHED,
    OBSERVED,
    OUTCOME_BRIER,
    OUTCOME_COVERAGE,
    OUTCOMES,
    PREDICTORS_EXPECTED,
)
from serving.consumers.orchestrator import parts_up
from serving.consumers.service import Service
from serving.database import Database

EVERY_SECONDS = 30.0
OUTCOME_DAYS = 90
_PATIENCE_SECONDS = 10.0

_log = get_logger(__name__)


class Observer:
    """Looks at each part of the whole; one that does not answer leaves the others."""

    def __init__(self, service: Service, database: Database) -> None:
        self._service = service
        self._database = database

    async def run(self, every_seconds: float = EVERY_SECONDS) -> None:
        """Look until cancelled, and say how many predictors there should be: who is gone cannot say it."""
        PREDICTORS_EXPECTED.set(self._service.settings.predict.processes)
        while True:
            await self.look()
            await asyncio.sleep(every_seconds)

    async def look(self) -> None:
        """Look once."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "database": self._look_at_database,
            "outcomes": self._look_at_outcomes,
            "streams": self._look_at_streams,
            "champions": self._look_at_champions,
            "disk": self._look_at_disk,
            "dagster": self._look_at_dagster,
            "backups": self._look_at_backups,
        }
        for part, look in parts.items():
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await look()
            except Exception as error:  # noqa: BLE001 (whatever it is: to observe must not end what is observed)
                _log.warning("a part of the whole cannot be observed", part=part, cause=repr(error))
            else:
                OBSERVED.labels(part).set(self._service.clock.now().timestamp())

    async def _look_at_database(self) -> None:
        found = await self._database.run(condition)
        DATABASE_SIZE.labels(found.database).set(found.size)
        DATABASE_BEGUN.labels(found.database).set(found.begun_at)
        DATABASE_CONNECTIONS_LIMIT.labels(found.database).set(found.connections_limit)
        DATABASE_CONNECTIONS.clear()
        for state, count in found.connections.items():
            DATABASE_CONNECTIONS.labels(state).set(count)

    async def _look_at_outcomes(self) -> None:
        show_outcomes(await self._database.run(lambda connection: champion_outcomes(connection, OUTCOME_DAYS)))

    async def _look_at_streams(self) -> None:
        try:
            streams = await self._service.bus.jetstream.streams_info()
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"the streams cannot be read: {error!r}", "it is tried again") from error
        for stream in streams:
            name = str(stream.config.name)
            BUS_STREAM_MESSAGES.labels(name).set(stream.state.messages)
            BUS_STREAM_SIZE.labels(name).set(stream.state.bytes)
            BUS_STREAM_LIMIT.labels(name).set(stream.config.max_bytes or 0)

    async def _look_at_champions(self) -> None:
        """What Dagster's watch found last, however long ago."""
        for model_type, subject in WATCH_OF.items():
            envelope = await Follower(self._service.bus, subject, asyncio.Event()).last()
            for metric in (DECAY_EVIDENCE, DRIFT_DISTANCE, DRIFT_P_VALUE):
                metric.remove_by_labels({"model_type": model_type})
            if envelope is None:
                continue
            found = envelope.payload
            MODEL_WATCHED.labels(model_type).set(envelope.timestamp.timestamp())
            for measure, evidence in found.decay.items():
                DECAY_EVIDENCE.labels(model_type, measure).set(evidence)
            for feature, distance in found.drift.items():
                DRIFT_DISTANCE.labels(model_type, feature).set(distance)
            if found.drift_p_value is not None:
                DRIFT_P_VALUE.labels(model_type).set(found.drift_p_value)

    async def _look_at_backups(self) -> None:
        """Whether they are made, and where: the newest complete one and the last of the log, or that there is none."""
        settings = self._service.settings
        BACKUP_TARGETS.labels(settings.profile).set(bool(settings.backup.target))
        if settings.backup.target:
            # Cryptography takes memory that record has no other use for.
            from riskee.backup.newest import completed_at

            times = await asyncio.to_thread(completed_at, settings)
            for kind, at in times.items():
                BACKUP_COMPLETED.labels(kind).set(at.timestamp() if at else 0)

    async def _look_at_dagster(self) -> None:
        now = self._service.clock.now().timestamp()
        found = await asyncio.to_thread(parts_up, self._service.settings.dagster.url, now)
        for part, up in found.items():
            DAGSTER_UP.labels(part).set(up)

    async def _look_at_disk(self) -> None:
        home = self._service.settings.home
        usage = await asyncio.to_thread(shutil.disk_usage, home)
        DISK_SIZE.labels("home").set(usage.total)
        # As df counts it: what is kept for root is not free.
        DISK_FREE.labels("home").set(usage.free)


def show_outcomes(outcomes: Sequence[Outcomes]) -> None:
    for metric in (OUTCOMES, OUTCOME_BRIER, OUTCOME_COVERAGE):
        metric.clear()
    of_type: defaultdict[str, list[Outcomes]] = defaultdict(list)
    for each in outcomes:
        of_type[each.model_type].append(each)
        OUTCOMES.labels(each.model_type, _way(each.said_up), _way(each.came_up)).set(each.number)
    for model_type, parts in of_type.items():
        number = sum(part.number for part in parts)
        OUTCOME_BRIER.labels(model_type).set(sum(part.squares for part in parts) / number)
        OUTCOME_COVERAGE.labels(model_type).set(sum(part.inside for part in parts) / number)


def _way(up: bool) -> str:
    return "up" if up else "down"
