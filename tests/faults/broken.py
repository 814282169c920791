"""Defects put in on purpose, to see that the fault tests find them, and deaths at the worst moment."""

import asyncio
import hashlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from threading import Timer
from typing import Any
from unittest import mock

import psycopg
from psycopg import sql

from riskee.errors import RetryableError
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.model import registry
from riskee.model.artifact import ModelArtifact
from riskee.storage import recording
from riskee.storage.bus import Bus, Outgoing
from riskee.storage.cache import Cache
from riskee.storage.entries import Entry
from riskee.storage.recording import Recording
from serving.consumers import forecasting, predict, record
from serving.consumers.forecasting import Failure, Forecast, Forecaster, asked
from serving.consumers.knowledge import Knowledge
from serving.consumers.publishing import Publisher

_LATE_SECONDS = 0.5
_LIFE_SECONDS = 8.0
_BORN = time.monotonic()


def _ack_before_commit() -> None:
    """record answers as if the rows were written, and writes them a little later."""
    honest: Callable[..., int] = recording.record

    def later(*arguments: Any, alone: bool) -> int:
        Timer(_LATE_SECONDS, honest, arguments, {"alone": alone}).start()
        return len(arguments[-1])

    mock.patch.object(record, "record", later).start()


def _no_on_conflict() -> None:
    """A row that is there already is an error."""

    def insert(cursor: psycopg.Cursor[Any], what: Recording[Any], _rows: object) -> None:
        table, incoming = sql.Identifier(what.table.name), sql.Identifier(f"incoming_{what.table.name}")
        cursor.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(table, incoming))

    mock.patch.object(recording, "_insert_once", insert).start()


def _dies_after_commit() -> None:
    """record is killed, once it has lived for some time, between a commit and its acknowledgement."""
    honest: Callable[..., int] = recording.record

    def mortal(*arguments: Any, alone: bool) -> int:
        written = honest(*arguments, alone=alone)
        _die_of_age()
        return written

    mock.patch.object(record, "record", mortal).start()


def _ack_before_publishing() -> None:
    """predict goes on as if its predictions were published, and publishes them a little later."""
    honest = Publisher.publish
    waiting: set[asyncio.Task[None]] = set()

    async def later(*arguments: Any) -> None:
        await asyncio.sleep(_LATE_SECONDS)
        await honest(*arguments)

    async def publish(*arguments: Any) -> None:
        task = asyncio.create_task(later(*arguments))
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    mock.patch.object(Publisher, "publish", publish).start()


def _dies_after_publishing() -> None:
    """predict is killed, once it has lived for some time, between publishing and acknowledging."""
    honest = Bus.publish_encoded

    async def mortal(bus: Bus, messages: Sequence[Outgoing]) -> None:
        await honest(bus, messages)
        if any(message.subject == PREDICTION_UPDATED.name for message in messages):
            _die_of_age()

    mock.patch.object(Bus, "publish_encoded", mortal).start()


def _die_of_age() -> None:
    if time.monotonic() - _BORN > _LIFE_SECONDS:
        os.kill(os.getpid(), signal.SIGKILL)


def _random_prediction_ids() -> None:
    """A quote that comes again is predicted anew."""

    def prediction_ids(quotes: Sequence[uuid.UUID], *_content: object) -> list[uuid.UUID]:
        return [uuid.uuid4() for _ in quotes]

    mock.patch.object(forecasting, "prediction_ids", prediction_ids).start()


def _predicts_twice() -> None:
    """Each quote is predicted once more, under another id."""
    honest = Forecaster.forecast

    def forecast(*arguments: Any) -> list[Forecast | Failure]:
        results = honest(*arguments)
        again = [asked(result, uuid.uuid4()) for result in results if isinstance(result, Forecast)]
        return [*results, *again]

    mock.patch.object(Forecaster, "forecast", forecast).start()


def _one_id_for_two() -> None:
    """What a job made of a quote has the id of what the quote's own wave made of it."""

    def the_quotes(forecast: Forecast, _job: uuid.UUID) -> Forecast:
        return forecast

    mock.patch.object(predict, "asked", the_quotes).start()


def _forsakes_the_cache() -> None:
    """A cache that was away once is never written to again."""
    honest = Cache.write
    away = False

    async def write(cache: Cache, entries: Sequence[Entry]) -> None:
        nonlocal away
        if not away:
            try:
                await honest(cache, entries)
            except RetryableError:
                away = True
                raise

    mock.patch.object(Cache, "write", write).start()


def _no_dead_letters() -> None:
    """Poison is dropped without a word."""
    honest = Bus.publish_encoded

    async def publish_encoded(bus: Bus, messages: Sequence[Outgoing]) -> None:
        await honest(bus, [message for message in messages if not message.subject.startswith("dead.")])

    mock.patch.object(Bus, "publish_encoded", publish_encoded).start()


def _stale_state() -> None:
    """A state rebuilt from the database misses the last week's bars."""
    honest = Knowledge.forecaster

    def forecaster(knowledge: Knowledge, before: date, *others: Any) -> Forecaster:
        return honest(knowledge, before - timedelta(days=7), *others)

    mock.patch.object(Knowledge, "forecaster", forecaster).start()


def _trusting() -> None:
    """An artifact is taken as it is, whatever its digest and name."""

    def unchecked(row: Any) -> ModelArtifact:
        data = bytes(row.artifact)
        return ModelArtifact.from_bytes(data, hashlib.sha256(data).hexdigest())

    mock.patch.object(registry, "_checked", unchecked).start()


def _slow_start() -> None:
    """The service takes its time before it does anything."""
    time.sleep(20)


BROKEN: Mapping[str, Callable[[], None]] = {
    "ack before commit": _ack_before_commit,
    "ack before publishing": _ack_before_publishing,
    "no ON CONFLICT": _no_on_conflict,
    "dies after commit": _dies_after_commit,
    "dies after publishing": _dies_after_publishing,
    "random prediction ids": _random_prediction_ids,
    "predicts twice": _predicts_twice,
    "one id for two": _one_id_for_two,
    "forsakes the cache": _forsakes_the_cache,
    "no dead letters": _no_dead_letters,
    "stale state": _stale_state,
    "trusting": _trusting,
    "slow start": _slow_start,
}
