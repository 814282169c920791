"""Fixtures of the live path (the bus with empty streams, consumers and the API inside the test) and of documents."""

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import Engine
from websockets.asyncio.client import connect

from riskee.clock import Clock, SystemClock
from riskee.embedding.word_pieces import WordPieces
from riskee.errors import RetryableError
from riskee.messaging.envelope import wrap
from riskee.messaging.standing import FeedStatus
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import BEAT
from riskee.settings import Settings, VectorSettings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.tickers import TickerInfo, write_tickers
from riskee.storage.vectors import Vectors
from serving.api.app import create_app
from serving.api.server import server_config
from serving.consumers.service import Service, serve
from serving.consumers.silence import ALL_SLOTS
from serving.health import Health
from tests.conftest import REPOSITORY
from tests.integration.front_server import FrontServer
from tests.integration.stored_documents import Load

TICKERS = ("AAPL", "IBM", "MSFT")
MEMBER = uuid.UUID(int=1)
# How long what must come may take on a machine that others use as well. Who waits so long has failed.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A consumer under test."""

    health: Health
    stopping: asyncio.Event


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API in this process waits for its database as long as a busy machine may need.

    Tests of a database that hangs have a fixture of this name which leaves the product as it is.
    """
    for constant in (
        "serving.api.directory.PATIENT_SECONDS",
        "serving.api.reading.PATIENT_SECONDS",
        "serving.api.reading.IMPATIENT_SECONDS",
        "serving.api.streaming.snapshots.IMPATIENT_SECONDS",
    ):
        monkeypatch.setattr(constant, PATIENCE_SECONDS / 3)


@pytest.fixture
def long_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A predictor that was heard is not called silent for a pause of this process."""
    monkeypatch.setattr("serving.api.standing.SILENT_AFTER_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Connections to the database of this test."""
    engine = make_engine(SecretStr(database_url), 4)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def pieces() -> WordPieces:
    """The embedding model's tokenizer. It is fetched once into the checkout's `.riskee/blobs`."""
    return WordPieces.fetched(REPOSITORY / ".riskee")


@pytest.fixture
def load(engine: Engine, pieces: WordPieces) -> Load:
    """Imports files of texts into the database of this test."""
    return Load(engine, pieces)


@pytest.fixture
def vectors(tmp_path: Path) -> Iterator[Vectors]:
    """A vector server for this test alone."""
    server = FrontServer("infra.embedded.qdrant_front", ["--data", str(tmp_path / "qdrant")], "/readyz")
    vectors = Vectors(VectorSettings(url=server.url))
    yield vectors
    vectors.close()
    server.end()


@pytest.fixture
async def bus(settings: Settings) -> AsyncIterator[Bus]:
    """A connection to new streams; deleting the old ones also forgets which message ids they saw."""
    bus = await Bus.connect(settings.nats, "test", timeout=10)
    for info in await bus.jetstream.streams_info():
        await bus.jetstream.delete_stream(str(info.config.name))
    await make_streams(bus)
    yield bus
    await bus.close()


async def make_streams(bus: Bus) -> None:
    """Make the streams that are missing, as services do: the server refuses while it still removes a former one."""

    async def made() -> bool:
        try:
            await bus.ensure_streams()
        except RetryableError:
            return False
        return True

    await eventually(made)


@pytest.fixture
async def cache(settings: Settings) -> AsyncIterator[Cache]:
    """An empty cache."""
    cache = Cache.connect(settings.redis)
    await cache._redis.flushdb()
    yield cache
    await cache.close()


@asynccontextmanager
async def consumer(
    name: str, settings: Settings, main: Callable[[Service], Awaitable[None]], clock: Clock | None = None
) -> AsyncIterator[Running]:
    """A consumer in this event loop, stopped as by SIGTERM at the end. Its failure is the test's."""
    running: list[Running] = []

    async def started(service: Service) -> None:
        running.append(Running(service.health, service.stopping))
        await main(service)

    stopping = asyncio.Event()
    metrics = settings.metrics.model_copy(update={f"{name}_port": 0})
    own = settings.model_copy(update={"metrics": metrics})
    task = asyncio.create_task(serve(name, own, started, clock=clock or SystemClock(), stopping=stopping))
    try:
        await eventually(lambda: running or task.done())
        if task.done():
            await task
        yield running[0]
    finally:
        stopping.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def eventually(check: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a check is true; fails the test where that takes too long."""
    async with asyncio.timeout(seconds):
        while True:
            found = check()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)


@pytest.fixture
def known(database_settings: Settings) -> Settings:
    """Settings of a database that knows three tickers and the index."""
    engine = make_engine(database_settings.database.url, 1)
    with engine.begin() as connection:
        write_tickers(connection, [TickerInfo(name, f"{name} Inc.", is_index=False, source="made") for name in TICKERS])
        write_tickers(connection, [TickerInfo("SPX", "Index", is_index=True, source="made")])
    engine.dispose()
    return database_settings


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The API as it really runs, on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(create_app(settings), settings))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started)
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, PATIENCE_SECONDS)


@pytest.fixture
async def beating(bus: Bus, long_heard: None) -> AsyncIterator[None]:
    """A predictor that is heard, with an open feed that is not mute."""
    standing = FeedStatus(feed="replay/1", status=Status.OK, since=datetime(2020, 1, 1, tzinfo=UTC), slots=ALL_SLOTS)

    async def beat() -> None:
        while True:
            now = datetime.now(UTC)
            await bus.tell(BEAT, wrap(standing, message_id=MEMBER, correlation_id=MEMBER, source="test", at=now))
            await asyncio.sleep(0.2)

    task = asyncio.create_task(beat())
    yield
    task.cancel()


@pytest.fixture
async def client(beating: None, bus: Bus, cache: Cache, known: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(known) as client:
        await eventually(lambda: all_ok(client))
        await heard(client)
        yield client


async def heard(client: httpx.AsyncClient) -> None:
    """Wait until the API hears the predictor."""
    url = str(client.base_url).replace("http", "ws") + "/stream"
    async with asyncio.timeout(PATIENCE_SECONDS), connect(url) as socket:
        await socket.send('{"type": "subscribe", "tickers": ["*"]}')
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "status" and message["status"] == "ok":
                return


async def all_ok(client: httpx.AsyncClient) -> bool:
    """Whether the API says that all it needs is there."""
    return bool((await client.get("/health/ready")).json()["status"] == "ok")
