"""Feeds: where live quotes come from. Here: the replay of real sessions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from riskee.clock import Clock
from riskee.errors import PoisonError
from riskee.market.bars import Bar
from riskee.market.quotes import Tick
from riskee.market.replay import WAVES, expand
from riskee.messaging.messages import MarketState, MarketStatus
from riskee.settings import FeedSettings
from riskee.storage.replay import Act, next_act, remember
from riskee.storage.tickers import read_tickers
from serving.database import Database


@dataclass(frozen=True)
class Unplayable:
    """A bar that gives no quotes, and why."""

    bar: Bar
    reason: str


@dataclass(frozen=True)
class Wave:
    """What a feed says at one moment. `known` are the tickers that may be in it."""

    feed: str
    known: frozenset[str]
    ticks: Sequence[Tick] = ()
    unplayable: Sequence[Unplayable] = ()
    status: MarketStatus | None = None


class Feed(Protocol):
    """A source of quotes.

    The next wave is asked for when the last one is on the bus, so a feed may then note how far it has come.
    """

    # How old a quote may be on arrival; None where times are long past.
    max_age: timedelta | None

    def waves(self) -> AsyncIterator[Wave]: ...


@dataclass
class ReplayFeed:
    """Plays the last sessions of the database, one after the other, at the pace that the settings say."""

    database: Database
    settings: FeedSettings
    market_ticker: str
    clock: Clock
    sleep: Callable[[float], Awaitable[None]]
    # Repeats a database call until it succeeds, showing the trouble in the health.
    persist: Callable[[Callable[[], Awaitable[Act | None]]], Awaitable[Act | None]]
    max_age: timedelta | None = None
    _due: datetime | None = None

    async def waves(self) -> AsyncIterator[Wave]:
        """The waves of one session after the other; ends after the last one, unless the replay repeats."""
        while act := await self.persist(self._next):
            known = frozenset(info.ticker for info in await self.database.run(read_tickers))
            told, unplayable = _tell(act, self.market_ticker)
            yield Wave(act.feed, known, unplayable=unplayable, status=_status(act, MarketState.OPEN))
            for ticks in _waves(act, told):
                await self._pace()
                yield Wave(act.feed, known, ticks=ticks)
            yield Wave(act.feed, known, status=_status(act, MarketState.CLOSED))
            await self.persist(lambda act=act: self._remember(act))  # type: ignore[misc]

    async def _next(self) -> Act | None:
        replay = self.settings.replay
        return await self.database.run(lambda connection: next_act(connection, replay.sessions, repeat=replay.repeat))

    async def _remember(self, act: Act) -> None:
        await self.database.run(lambda connection: remember(connection, act, self.clock))

    async def _pace(self) -> None:
        """Wait until the next wave is due. A feed that was held up goes on from there and does not hurry."""
        now = self.clock.now()
        self._due = max(self._due or now, now)
        await self.sleep((self._due - now).total_seconds())
        self._due += timedelta(seconds=self.settings.replay.session_seconds / WAVES)


def _status(act: Act, state: MarketState) -> MarketStatus:
    moment = act.session.opens_at if state is MarketState.OPEN else act.session.closes_at
    return MarketStatus(feed=act.feed, state=state, data_time=moment, reason="replay of real prices")


def _tell(act: Act, market_ticker: str) -> tuple[list[tuple[Tick, ...]], list[Unplayable]]:
    """The quotes of each bar, the market's first, for the others are predicted from them; and the bars without."""

    def order(bar: Bar) -> tuple[bool, str]:
        return bar.ticker != market_ticker, bar.ticker

    told: list[tuple[Tick, ...]] = []
    unplayable: list[Unplayable] = []
    for bar in sorted(act.bars, key=order):
        try:
            told.append(expand(bar, act.session, act.feed))
        except PoisonError as error:
            unplayable.append(Unplayable(bar, str(error)))
    return told, unplayable


def _waves(act: Act, told: Sequence[tuple[Tick, ...]]) -> list[list[Tick]]:
    """The session's quotes by moment, without those that were played before."""
    return [
        [ticks[wave] for ticks in told if (ticks[wave].ticker, ticks[wave].sequence) not in act.played]
        for wave in range(WAVES)
    ]
