"""What travels on the bus becomes rows, once."""

import asyncio
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, text

from riskee.clock import FixedClock
from riskee.errors import PoisonError, RetryableError
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import DeadLetter, Prediction, Quote
from riskee.messaging.subjects import EXPLAINED, PREDICTION_UPDATED, QUOTE
from riskee.settings import Settings
from riskee.storage import tables
from riskee.storage.bus import Bus, Outgoing, codec_of
from riskee.storage.database import make_engine, make_service_engine
from riskee.storage.recording import PREDICTIONS, QUARANTINE, QUOTES, Recording, _copy, record
from serving.consumers import record as recorder
from serving.consumers.dead_letters import dead_letter
from tests.integration.conftest import Running, consumer, eventually
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC)


def rows(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


def quote(number: int) -> Envelope[Quote]:
    identity = uuid.uuid5(uuid.NAMESPACE_OID, str(number))
    payload = msgspec.structs.replace(samples.QUOTE, quote_id=identity, sequence=number, received_at=NOW)
    return wrap(payload, message_id=identity, correlation_id=identity, source="test", at=NOW)


def prediction(number: int) -> Envelope[Prediction]:
    identity = uuid.uuid5(uuid.NAMESPACE_URL, str(number))
    payload = msgspec.structs.replace(samples.PREDICTION, prediction_id=identity, prediction_time=NOW)
    return wrap(payload, message_id=identity, correlation_id=identity, source="test", at=NOW)


def test_every_field_arrives_and_a_repetition_changes_nothing(engine: Engine) -> None:
    batch = [prediction(number) for number in range(50)]
    assert record(engine, PREDICTIONS, batch) == 50
    assert record(engine, PREDICTIONS, [*batch, prediction(50)]) == 1
    with engine.connect() as connection:
        statement = select(tables.predictions).where(
            tables.predictions.c.prediction_id == batch[0].payload.prediction_id
        )
        row = connection.execute(statement).one()
    sent = batch[0].payload
    assert (row.price_p10, row.price_p50, row.price_p90) == (sent.interval.p10, sent.interval.p50, sent.interval.p90)
    assert row.flags == ["replay", "cold_window"]
    for name in ("ticker", "feed", "data_time", "as_of", "session_date", "p_up", "expected_return", "model_version"):
        assert getattr(row, name) == getattr(sent, name)


def test_a_quote_twice_in_a_batch_is_one_row(engine: Engine) -> None:
    assert record(engine, QUOTES, [quote(1), quote(1), quote(2)]) == 2


def moved(envelope: Envelope[Quote], later: timedelta) -> Envelope[Quote]:
    """The same quote, received at another time."""
    payload = msgspec.structs.replace(envelope.payload, received_at=envelope.payload.received_at + later)
    return msgspec.structs.replace(envelope, payload=payload)


@pytest.mark.parametrize("later", [timedelta(seconds=1), timedelta(days=6), timedelta(days=-6)])
def test_a_quote_that_was_received_twice_is_one_row(engine: Engine, later: timedelta) -> None:
    """Published, not yet recorded, and published again when the bus had forgotten it: the id counts, not the time."""
    assert record(engine, QUOTES, [quote(1), quote(2)]) == 2
    assert record(engine, QUOTES, [moved(quote(1), later), quote(3)]) == 1
    assert record(engine, QUOTES, [moved(quote(4), later), quote(4)]) == 1
    with engine.connect() as connection:
        received = dict(connection.execute(select(tables.quotes.c.quote_id, tables.quotes.c.received_at)).all())
    assert received[quote(1).payload.quote_id] == NOW, "the first one stays"
    assert received[quote(4).payload.quote_id] == min(NOW, NOW + later)


def test_a_quote_that_two_write_at_the_same_time_is_one_row(engine: Engine) -> None:
    """Each sees only what the other has committed; so the second waits until the first has."""
    with ThreadPoolExecutor(1) as other, engine.begin() as first:
        driver = first.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        assert _copy(driver, QUOTES, [QUOTES.row(quote(1))], alone=False) == 1
        second = other.submit(record, engine, QUOTES, [moved(quote(1), timedelta(seconds=1))], alone=False)
        while not waiting_for_the_lock(engine):
            assert not second.done(), "it did not wait"
        first.commit()
        assert second.result() == 0
    assert rows(engine, tables.quotes) == 1


def waiting_for_the_lock(engine: Engine) -> bool:
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(connection.scalar(waiting))


def test_a_prediction_of_a_quote_that_was_received_twice_is_one_row(engine: Engine) -> None:
    again = msgspec.structs.replace(prediction(1).payload, prediction_time=NOW + timedelta(hours=1))
    assert record(engine, PREDICTIONS, [prediction(1)]) == 1
    assert record(engine, PREDICTIONS, [msgspec.structs.replace(prediction(1), payload=again)]) == 0


def test_a_value_that_the_database_refuses_is_poison_and_writes_nothing(engine: Engine) -> None:
    bad = msgspec.structs.replace(quote(2), payload=msgspec.structs.replace(quote(2).payload, feed="a\0b"))
    with pytest.raises(PoisonError, match="refuses"):
        record(engine, QUOTES, [quote(1), bad])
    assert rows(engine, tables.quotes) == 0


def test_a_dead_letter_with_any_bytes_can_be_kept(engine: Engine) -> None:
    message = dead_letter("data.market.quote", "malformed", b'\xff\x00{"', "ingest", FixedClock(NOW))
    envelope = msgspec.json.decode(message.data, type=Envelope[DeadLetter])
    assert record(engine, QUARANTINE, [envelope]) == 1


def test_a_database_that_is_away_is_retryable() -> None:
    gone = make_engine(SecretStr("postgresql://nobody@127.0.0.1:9/none"), 1)
    with pytest.raises(RetryableError, match="does not answer"):
        record(gone, QUOTES, [quote(1)])


def test_a_table_that_is_locked_for_long_is_retryable(
    database_settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting without end the service would be started anew again and again, and its quotes buried."""
    monkeypatch.setattr("riskee.storage.database.LOCK_SECONDS", 1)
    service = make_service_engine(database_settings.database.url, 1)
    with engine.begin() as holder:
        holder.execute(text("LOCK TABLE quotes"))
        with pytest.raises(RetryableError, match="takes too long: canceling statement due to lock timeout"):
            record(service, QUOTES, [quote(1)])
    assert record(service, QUOTES, [quote(1)]) == 1
    service.dispose()


def test_only_the_services_statements_are_limited(database_settings: Settings, engine: Engine) -> None:
    """An import or a mart may take minutes."""
    service = make_service_engine(database_settings.database.url, 1)
    for limited, expected in ((engine, ("0", "0")), (service, ("30s", "10s"))):
        with limited.connect() as connection:
            names = ("statement_timeout", "lock_timeout")
            assert tuple(connection.scalar(text(f"SHOW {name}")) for name in names) == expected
    service.dispose()


async def test_everything_published_is_recorded_once(bus: Bus, database_settings: Settings, engine: Engine) -> None:
    quotes, predictions = [quote(n) for n in range(600)], [prediction(n) for n in range(600)]
    await bus.publish(QUOTE, *quotes)
    await bus.publish(PREDICTION_UPDATED, *predictions)
    await bus.publish(EXPLAINED, samples.sample(EXPLAINED.name))
    again = codec_of(QUOTE).encode(moved(quote(1), timedelta(minutes=20)))
    await bus.publish_encoded([Outgoing(QUOTE.name, "junk", b"junk"), Outgoing(f"{QUOTE.name}.7", "forgotten", again)])
    wanted = {tables.quotes: 600, tables.predictions: 600, tables.explanations: 1, tables.quarantine: 1}
    async with consumer("record", database_settings, recorder.main) as running:
        await eventually(lambda: all(rows(engine, table) == count for table, count in wanted.items()))
        assert running.health.ready
    # As after a crash before the acknowledgement: everything is delivered again.
    for durable in ("record-quotes", "record-predictions"):
        stream = "MARKET_DATA" if durable == "record-quotes" else "PREDICTIONS"
        await bus.jetstream.delete_consumer(stream, durable)
    async with consumer("record", database_settings, recorder.main):
        for stream, durable in (("MARKET_DATA", "record-quotes"), ("PREDICTIONS", "record-predictions")):
            await eventually(lambda s=stream, d=durable: _read(bus, s, d))  # type: ignore[misc]
    assert {table: rows(engine, table) for table in wanted} == wanted
    with engine.connect() as connection:
        quarantined = connection.execute(select(tables.quarantine)).one()
    assert (quarantined.origin, quarantined.body) == (QUOTE.name, "junk")


async def test_several_recorders_share_what_is_published(
    bus: Bus, database_settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both write, each row is there once, and what comes when one is gone the other writes."""
    consumers = database_settings.consumers.model_copy(update={"shared": True})
    settings = database_settings.model_copy(update={"consumers": consumers})
    wrote: list[int] = []

    def noting(engine: Engine, recording: Recording[Any], batch: Sequence[Envelope[Any]], *, alone: bool) -> int:
        assert not alone
        wrote.append(id(engine))
        return record(engine, recording, batch, alone=alone)

    monkeypatch.setattr(recorder, "record", noting)
    quotes = [quote(n) for n in range(900)]
    async with consumer("record", settings, recorder.main) as first:
        async with consumer("record", settings, recorder.main) as second:
            opened = {"record-quotes", "record-predictions"}
            await eventually(lambda: all(_answering(each) >= opened for each in (first, second)))
            await bus.publish(QUOTE, *quotes[:600])
            await bus.publish(PREDICTION_UPDATED, *(prediction(n) for n in range(600)))
            await eventually(lambda: rows(engine, tables.quotes) == rows(engine, tables.predictions) == 600)
            assert len(set(wrote)) == 2
        await bus.publish(QUOTE, *quotes[600:])
        await eventually(lambda: rows(engine, tables.quotes) == 900)
        await eventually(lambda: _read(bus, "MARKET_DATA", "record-quotes"))
    assert (rows(engine, tables.quotes), rows(engine, tables.predictions)) == (900, 600)


def _answering(running: Running) -> set[str]:
    dependencies = running.health.report()["dependencies"]
    assert isinstance(dependencies, dict)
    return {name for name, trouble in dependencies.items() if trouble == "ok"}


async def _read(bus: Bus, stream: str, durable: str) -> bool:
    found = [each for each in await bus.jetstream.consumers_info(stream) if each.name == durable]
    return bool(found) and (found[0].num_pending, found[0].num_ack_pending) == (0, 0)


async def test_a_database_that_comes_late_loses_nothing(
    bus: Bus, database_settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between two batches and comes back: every row is there, no delivery was used up."""
    away = asyncio.Event()

    def failing(*arguments: object, alone: bool) -> int:
        if away.is_set():
            raise RetryableError("the database does not answer")
        return record(*arguments, alone=alone)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "record", failing)
    async with consumer("record", database_settings, recorder.main) as running:
        await bus.publish(QUOTE, quote(1))
        await eventually(lambda: rows(engine, tables.quotes) == 1)
        away.set()
        await bus.publish(QUOTE, *(quote(number) for number in range(2, 20)))
        await eventually(lambda: not running.health.ready)
        assert "database" in str(running.health.report())
        away.clear()
        await eventually(lambda: rows(engine, tables.quotes) == 19)
        await eventually(lambda: running.health.ready)
        info = await bus.jetstream.consumer_info("MARKET_DATA", "record-quotes")
        assert info.num_redelivered == 0
