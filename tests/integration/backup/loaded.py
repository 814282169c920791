"""A stack with something in everything, and digests by which to tell that it came back."""

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
from nats.js.api import AckPolicy, ConsumerConfig
from psycopg import sql
from redis import Redis

from riskee.backup.postgres import PostgresServer
from riskee.documents.document import Document
from riskee.model.registry import register
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.database import make_engine
from riskee.storage.tickers import TickerInfo, write_tickers
from riskee.storage.vectors import Vectors
from tests.unit.model.small import small_artifact, small_result

STREAM, DURABLE = "ROUTING", "drill"
MESSAGES, TAKEN, DOCUMENTS, DIMENSIONS = 300, 100, 50, 8
START = datetime(2026, 11, 22, tzinfo=UTC)
_QUOTES = """
    INSERT INTO quotes (quote_id, received_at, feed, ticker, data_time, session_date, sequence, price, open, high, low,
        volume, adjustment_factor, final)
    SELECT md5(%(word)s || n)::uuid, now() + n * interval '1 microsecond', %(word)s, 'AAPL', now(), current_date, n,
        100 + n %% 17, 100, 120, 90, n, 1, false
    FROM generate_series(1, %(count)s) AS n
"""


@dataclass(frozen=True)
class Digests:
    """What the servers hold."""

    tables: dict[str, tuple[int, str]]
    messages: tuple[int, str]
    consumer: tuple[int, int]
    keys: dict[bytes, object]
    vectors: dict[str, list[float]]


def write_quotes(settings: Settings, word: str, count: int) -> datetime:
    """Rows told apart by `word`; returns the database's time after their commit."""
    with PostgresServer(settings).connect() as connection:
        connection.execute(_QUOTES, {"word": word, "count": count})
        connection.commit()
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    return row[0]


def quotes_of(settings: Settings, word: str) -> int:
    with PostgresServer(settings).connect() as connection:
        row = connection.execute("SELECT count(*) FROM quotes WHERE feed = %s", [word]).fetchone()
    return int(str(row[0])) if row else 0


def load(settings: Settings, rows: int) -> None:
    """Something of everything that a backup saves."""
    engine = make_engine(settings.database.url, 1)
    with engine.begin() as connection:
        write_tickers(connection, [TickerInfo("AAPL", "Apple", is_index=False, source="made")])
        artifact = small_artifact()
        register(connection, small_result(artifact, "promoted"), "run-1", START)
    engine.dispose()
    write_quotes(settings, "before", rows)
    asyncio.run(_publish(settings))
    with Redis.from_url(settings.redis.url.get_secret_value()) as redis:
        redis.hset("quote:AAPL", mapping={"price": "100", "body": b"\x00\xff binary"})
        redis.set("pred:AAPL", "0.5", ex=3600)
    vectors = Vectors(settings.vectors)
    vectors.ensure_collections(DIMENSIONS, ["market_news"])
    documents = [_document(number) for number in range(DOCUMENTS)]
    made = np.random.default_rng(1).normal(size=(DOCUMENTS, DIMENSIONS)).astype(np.float32)
    vectors.upsert(documents, made, "drill-model")
    vectors.close()
    (settings.home / "reports").mkdir(exist_ok=True)
    (settings.home / "reports" / "model.html").write_text("a report")


def digests(settings: Settings) -> Digests:
    """Of all that `load` wrote, and of every table."""
    server = PostgresServer(settings)
    with server.connect() as connection:
        tables = {name: _table(connection, name) for name in server.rows(connection.info.dbname)}
    with Redis.from_url(settings.redis.url.get_secret_value()) as redis:
        keys: dict[bytes, object] = {b"quote:AAPL": redis.hgetall("quote:AAPL"), b"pred:AAPL": redis.get("pred:AAPL")}
        ttl = redis.ttl("pred:AAPL")
    assert isinstance(ttl, int)
    assert 0 < ttl <= 3600
    messages, consumer = asyncio.run(_stream(settings))
    return Digests(tables, messages, consumer, keys, _points(settings))


def _document(number: int) -> Document:
    return Document(
        document_id=uuid.uuid5(uuid.NAMESPACE_URL, f"drill {number}"), collection="market_news", ticker="AAPL",
        title=f"title {number}", body="body", source="drill", published_at=START, known_at=START,
    )  # fmt: skip


def _table(connection: psycopg.Connection[tuple[object, ...]], name: str) -> tuple[int, str]:
    statement = sql.SQL(
        "SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {} t"
    )
    row = connection.execute(statement.format(sql.Identifier(*name.split(".")))).fetchone()
    assert row is not None
    return int(str(row[0])), str(row[1])


async def _publish(settings: Settings) -> None:
    bus = await Bus.connect(settings.nats, "drill", timeout=10)
    await bus.ensure_streams()
    for number in range(MESSAGES):
        await bus.jetstream.publish("job.predict.normal", b"message %d" % number, headers={"Nats-Msg-Id": str(number)})
    wanted = ConsumerConfig(durable_name=DURABLE, ack_policy=AckPolicy.EXPLICIT)
    await bus.jetstream.add_consumer(STREAM, wanted)
    taker = await bus.jetstream.pull_subscribe_bind(consumer=DURABLE, stream=STREAM)
    for message in await taker.fetch(TAKEN):
        await message.ack_sync()
    await bus.close()


async def _stream(settings: Settings) -> tuple[tuple[int, str], tuple[int, int]]:
    bus = await Bus.connect(settings.nats, "drill", timeout=10)
    state = (await bus.jetstream.stream_info(STREAM)).state
    digest = hashlib.sha256()
    for number in range(state.first_seq, state.last_seq + 1):
        message = await bus.jetstream.get_msg(STREAM, number)
        digest.update(f"{message.seq} {message.subject} {message.headers}".encode() + (message.data or b""))
    consumer = await bus.jetstream.consumer_info(STREAM, DURABLE)
    await bus.close()
    assert consumer.ack_floor is not None
    return (state.messages, digest.hexdigest()), (consumer.ack_floor.stream_seq, consumer.num_pending or 0)


def _points(settings: Settings) -> dict[str, list[float]]:
    from qdrant_client import QdrantClient

    client = QdrantClient(url=settings.vectors.url, prefer_grpc=False, check_compatibility=False)
    records, _ = client.scroll("market_news", limit=DOCUMENTS * 2, with_payload=True, with_vectors=True)
    client.close()
    return {f"{r.id} {sorted((r.payload or {}).items())}": list(r.vector or []) for r in records}  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time of change."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
