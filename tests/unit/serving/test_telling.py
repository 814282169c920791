"""What is told and marked while the database hangs or the cache is away, without servers and on a clock of the test."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from nats.js.errors import NotFoundError
from sqlalchemy.exc import OperationalError

from riskee.errors import RetryableError
from riskee.messaging.messages import MarketState, MarketStatus
from riskee.messaging.statuses import Status
from riskee.settings import FeedSettings
from serving.consumers.announced import Announced
from serving.consumers.silence import Silence
from serving.consumers.telling import BEAT_SECONDS, Telling
from serving.health import Health
from tests.unit.messaging import samples

NAMES = ("AAPL", "IBM")
STALE = 60.0


class JetStream:
    """One without a message."""

    async def stream_info(self, _stream: str) -> Any:
        return SimpleNamespace(state=SimpleNamespace(last_seq=0))

    async def get_msg(self, *_: Any, **__: Any) -> None:
        raise NotFoundError


class Bus:
    """Counts what is told."""

    def __init__(self) -> None:
        self.jetstream = JetStream()
        self.beats = 0

    async def listen(self, *_: Any) -> None:
        """Nothing comes."""

    async def publish(self, *_: Any) -> None:
        """All is accepted."""

    async def tell(self, *_: Any) -> None:
        self.beats += 1


class Cache:
    """Keeps the marks, and refuses them while it is away."""

    def __init__(self) -> None:
        self.away = False
        self.marks: dict[str, str] = {}

    async def amend(self, _key: object, parts: Sequence[Mapping[str, str]], _name: str, value: str) -> None:
        if self.away:
            raise RetryableError("away")
        self.marks |= {part["ticker"]: str(value) for part in parts}


class Database:
    """Hangs until it is let go, then fails."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.asked = 0

    def connect(self) -> None:
        self.asked += 1
        self.free.wait(20)
        raise OperationalError("SELECT", {}, Exception("gone"))


class World:
    """A predictor's telling, with a feed and clocks that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.numbers = 0
        self.bus, self.cache, self.database = Bus(), Cache(), Database()
        service = SimpleNamespace(bus=self.bus, clock=self, health=Health("predict"), name="predict")
        feed = FeedSettings(mute_after_seconds=1000.0, stale_after_seconds=STALE)
        self.silence = Silence(feed, Announced(), self, lambda: self.seconds)
        self.telling = Telling(
            cast("Any", service),
            self.silence,
            cast("Any", self.cache),
            cast("Any", self.database),
            lambda: self.seconds,
        )

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 15, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def hear(self, *tickers: str) -> None:
        self.numbers += 1
        quote = msgspec.structs.replace(samples.QUOTE, received_at=self.now(), sequence=self.numbers)
        self.silence.took([msgspec.structs.replace(quote, ticker=ticker) for ticker in tickers])

    def halt(self, ticker: str) -> None:
        status = MarketStatus(
            feed=samples.QUOTE.feed, state=MarketState.HALTED, data_time=samples.DATA_TIME, ticker=ticker
        )
        self.silence.told(status, self.now())

    async def turn(self, seconds: float = 0.0) -> None:
        self.seconds += seconds
        await self.telling.turn()

    async def outlast(self, *speaking: str) -> None:
        """Let the others become stale."""
        for _ in range(7):
            self.hear(*speaking)
            await self.turn(10.0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.database.free.set()


async def test_a_database_that_hangs_keeps_no_beat_back(world: World) -> None:
    for _ in range(5):
        await asyncio.wait_for(world.turn(BEAT_SECONDS), 60)
        await asyncio.sleep(0)
    assert world.bus.beats == 5
    assert world.database.asked <= 1, "it is asked again only when it has answered"


async def test_a_halted_ticker_stays_marked_so_when_it_falls_silent(world: World) -> None:
    world.hear(*NAMES)
    await world.turn()
    world.halt("IBM")
    await world.turn()
    assert world.cache.marks == {"IBM": Status.HALTED}
    await world.outlast("SPY")
    assert world.cache.marks == {"IBM": Status.HALTED, "AAPL": Status.STALE}


async def test_of_what_could_not_be_marked_the_gravest_is(world: World) -> None:
    world.hear(*NAMES)
    await world.turn()
    world.cache.away = True
    world.silence._become(Status.FEED_MUTE, world.now())
    await world.turn()
    world.halt("IBM")
    await world.turn()
    world.cache.away = False
    await world.turn()
    assert world.cache.marks == dict.fromkeys(NAMES, Status.FEED_MUTE)


async def test_a_mark_that_waited_for_the_cache_does_not_fall_on_a_newer_number(world: World) -> None:
    world.hear(*NAMES)
    await world.turn()
    world.cache.away = True
    await world.outlast("SPY")
    assert world.cache.marks == {}
    world.hear("IBM")
    await world.turn(0.25)
    world.cache.away = False
    await world.turn(0.25)
    assert world.cache.marks == {"AAPL": Status.STALE}
