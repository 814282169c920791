"""The live feed of Alpaca: what its stream and its history say, as waves of running daily bars."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from riskee.market.quotes import Tick
from riskee.market.running_bars import RunningBars
from riskee.market.sessions import Session
from riskee.messaging.messages import MarketState, MarketStatus
from serving.consumers.feeds.alpaca.closing import Closing
from serving.consumers.feeds.alpaca.factors import running_factors
from serving.consumers.feeds.alpaca.history import History, open_history
from serving.consumers.feeds.alpaca.link import HISTORY, Link, delay_of
from serving.consumers.feeds.alpaca.subscribing import wanted
from serving.consumers.feeds.alpaca.taker import Taker
from serving.consumers.feeds.feed import Wave, rest
from serving.consumers.feeds.today import Today, read_today
from serving.consumers.service import Service
from serving.database import Database

# The prints of the closing auctions come later than other trades: so many times as long.
_CLOSING = 3
# Where the calendar knows no next session, it is read again as often.
_LOOK_AGAIN = timedelta(minutes=5)

ResultT = TypeVar("ResultT")


@dataclass
class AlpacaFeed:
    """Minute bars of all tickers and trades of some, put together to running daily bars.

    What a ticker did since the last wave is one quote, however fast it came. When the session is over, the vendor's
    own daily bars make the final quotes.
    """

    service: Service
    database: Database
    chance: Callable[[], float] = random.random
    # Quotes of a gap, and of tickers that trade seldom, are old on arrival and say so.
    max_age: timedelta | None = None
    max_lag: timedelta | None = timedelta(hours=8)
    _today: Today = field(init=False)
    _link: Link = field(init=False)
    _turn_at: datetime = field(init=False)
    _closing: Closing | None = None
    _told: set[tuple[Session, MarketState]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return f"alpaca/{self.service.settings.alpaca.feed}"

    async def waves(self) -> AsyncIterator[Wave]:
        """Waves until asked to stop. Raises FatalError where the vendor will never let us in."""
        async with open_history(self.service.settings.alpaca, self.service.clock, self._patiently) as history:
            await self._begin(history)
            link = asyncio.create_task(self._link.run())
            try:
                while True:
                    for wave in await self._news():
                        yield wave
                    await rest(self.service, self.service.settings.alpaca.stream.publish_seconds)
                    if link.done():
                        await link
            finally:
                link.cancel()
                with suppress(asyncio.CancelledError):
                    await link
                await self._forget_closing()

    async def _begin(self, history: History) -> None:
        settings = self.service.settings
        today = await self._read_today()
        bars = RunningBars(self.name, self._sessions(), await self._factors(history))
        for quote in today.last_quotes:
            bars.resume(quote)
        self._link = Link(
            service=self.service,
            settings=settings.alpaca,
            taker=Taker(bars),
            history=history,
            session=today.session,
            tickers=self._wanted(),
            chance=self.chance,
            gap=None if self._is_over() else today.session.opens_at,
        )

    async def _news(self) -> list[Wave]:
        """What is to be published now: states of session and tickers, and the quotes that changed."""
        await self._turn()
        found = self._state(MarketState.OPEN, self._today.session.opens_at)
        ended = self._is_over() and self._close()
        taker = self._link.taker
        statuses, taker.statuses = taker.statuses, []
        found += [self._wave(status=status) for status in statuses]
        if self._link.gap is None and (ticks := taker.bars.drain()):
            found.append(self._wave(sorted(ticks, key=self._place)))
        return found + (self._state(MarketState.CLOSED, self._today.session.closes_at) if ended else [])

    async def _turn(self) -> None:
        """Go on to the next session when it has begun."""
        if self.service.clock.now() < self._turn_at:
            return
        last, taker = self._today.session, self._link.taker
        session = (await self._read_today()).session
        taker.bars.sessions = self._sessions()
        if session == last:
            return
        await self._forget_closing()
        self._link.begin(session, self._wanted())
        taker.begin(session.opens_at)
        taker.bars.factors = await self._factors(self._link.history)

    def _close(self) -> bool:
        """End the session with the vendor's daily bars in place of ours. True where that is to be told with its quotes.

        Where the vendor does not give them for some minutes, our own are final; its own follow as a correction.
        """
        session, now = self._today.session, self.service.clock.now()
        if self._closing is None:
            self._closing = Closing(self._link.history, session, self._link.tickers, now)
        if not self._closing.is_due(now):
            return False
        if self._closing.take_into(self._link.taker.bars):
            # What the stream missed of this session is in them.
            self._link.gap = None
        self._link.taker.bars.finish(session.session_date)
        return True

    async def _forget_closing(self) -> None:
        if self._closing is not None:
            closing, self._closing = self._closing, None
            await closing.give_up()

    async def _read_today(self) -> Today:
        now = self.service.clock.now
        self._today = today = await self.service.until_done(
            "feed", lambda: self.database.run(lambda connection: read_today(connection, now(), self.name))
        )
        self._turn_at = today.following.opens_at if today.following else now() + _LOOK_AGAIN
        return today

    async def _patiently(self, action: Callable[[], Awaitable[ResultT]], /) -> ResultT:
        return await self.service.until_done(HISTORY, action)

    def _wanted(self) -> list[str]:
        settings = self.service.settings
        preferred = [settings.model.market_ticker, *settings.data.tickers]
        return wanted(self._today.tickers, preferred, settings.alpaca.stream.tickers)

    async def _factors(self, history: History) -> dict[str, float]:
        today = self._today.session.session_date
        return running_factors(self._today.previous, [page async for page in history.actions(today)], today)

    def _sessions(self) -> list[Session]:
        return [session for session in (self._today.session, self._today.following) if session is not None]

    def _is_over(self) -> bool:
        settings = self.service.settings.alpaca
        settled = timedelta(seconds=_CLOSING * settings.stream.settle_seconds)
        return self.service.clock.now() >= self._today.session.closes_at + delay_of(settings) + settled

    def _state(self, state: MarketState, moment: datetime) -> list[Wave]:
        """The session's state, once."""
        key = self._today.session, state
        if key in self._told:
            return []
        self._told.add(key)
        return [self._wave(status=MarketStatus(feed=self.name, state=state, data_time=moment, reason="calendar"))]

    def _wave(self, ticks: list[Tick] | None = None, status: MarketStatus | None = None) -> Wave:
        return Wave(self.name, frozenset(self._today.tickers), ticks=ticks or [], status=status)

    def _place(self, tick: Tick) -> tuple[datetime, bool, str]:
        """In order of time, and of one moment the market first, for the others are predicted from it."""
        return tick.data_time, tick.ticker != self.service.settings.model.market_ticker, tick.ticker
