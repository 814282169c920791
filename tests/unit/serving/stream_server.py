"""A stream without a network: connections and a server whose cache is a mapping."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from riskee.errors import RetryableError
from riskee.messaging.messages import Prediction
from serving.api.directory import Directory
from serving.api.hub import Hub
from serving.api.reading import Reader
from serving.api.standing import Number, judged
from serving.api.streaming.outlet import Pump
from serving.api.streaming.snapshots import Snapshots
from serving.api.streaming.subscribing import Subscribing
from tests.unit.serving.standings import World

TICKERS = ("AAPL", "IBM", "MSFT")


@dataclass
class Wire:
    """A connection that takes everything, or nothing; what was under way when it is cut is lost."""

    received: bytearray = field(default_factory=bytearray)
    open: bool = True
    paused: bool = False
    ended: list[tuple[int, str]] = field(default_factory=list)
    on_change: Callable[[], None] = lambda: None

    @property
    def ready(self) -> bool:
        return self.open and not self.paused

    def begin(self, on_change: Callable[[], None], buffer_bytes: int) -> None:
        self.on_change = on_change

    def write(self, data: bytes) -> None:
        assert self.ready, "nothing is written to who takes nothing"
        self.received += data

    def end(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))

    def go(self) -> None:
        self.paused = False
        self.on_change()

    def close(self) -> None:
        self.open = False
        self.on_change()


@dataclass
class Server:
    """A hub, and readers of it that stand in for cache and database: they know the prediction before."""

    size: int
    known: dict[str, Prediction] = field(default_factory=dict)
    away: bool = False
    database_away: bool = False
    reads: int = 0

    def __post_init__(self) -> None:
        world = World()
        world.beat()
        self.world = world
        self.hub = Hub(world.standings, self.size)
        self.pump = Pump(lambda: 0.0)
        own = cast("Any", self)
        snapshots = Snapshots(self.hub, cast("Reader", own), world)
        self.subscribing = Subscribing(self.hub, cast("Directory", own), snapshots, world.standings, 10)

    async def predicted(self, ticker: str) -> str:
        return ticker

    async def infos(self) -> list[Any]:
        self._answer()
        return [msgspec.defstruct("Info", ["ticker", ("is_index", bool, False)])(ticker) for ticker in TICKERS]

    def _answer(self) -> None:
        if self.away:
            raise RetryableError("the servers are away", "wait")

    async def cached(self, tickers: Sequence[str]) -> dict[str, Prediction]:
        if self.away:
            return {}
        self.reads += 1
        found = {ticker: self.known[ticker] for ticker in tickers if ticker in self.known}
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    async def stored(self, _: Sequence[str]) -> dict[str, Prediction]:
        self._answer()
        if self.database_away:
            raise RetryableError("the database is away", "wait")
        return {}

    def judge(self, prediction: Prediction, *_: object, current: bool = True) -> Number:
        return judged(prediction, self.world.standings.reasons(prediction))
