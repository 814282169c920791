"""The live feed of Alpaca: what its stream and its history say, as waves of running daily bars."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from riskee.market.quotes import Tick
from riskee.market.running_bars import RunningBars, Snapshot
from riskee.market.sessions import Session
from riskee.market.sources.alpaca_actions import Actions
from riskee.messaging.messages import MarketState, MarketStatus
from serving.consumers.feeds.alpaca.factors import running_factors
from serving.consumers.feeds.alpaca.history import History, open_history
from serving.consumers.feeds.alpaca.link import HISTORY, Link, delay_of
from serving.consumers.feeds.alpaca.subscribing import wanted
from serving.consumers.feeds.alpaca.taker import Taker
from serving.consumers.feeds.feed import Wave, rest
from serving.consumers.feeds.today import Today, read_today
from serving.consumers.service import Service
from serving.database import Database

# A daily bar bears its midnight in New York: before noon of its day in UTC.
_NOON = time(12, tzinfo=UTC)
# The prints of the closing auctions come later than other trades: so many times as long.
_CLOSING = 3


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
    _told: set[tuple[Session, MarketState]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return f"alpaca/{self.service.settings.alpaca.feed}"

    async def waves(self) -> AsyncIterator[Wave]:
        """Waves until asked to stop. Raises FatalError where the vendor will never let us in."""
        async with open_history(self.service.settings.alpaca) as history:
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

    async def _begin(self, history: History) -> None:
        settings = self.service.settings
        self._today = today = await self._read_today()
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
        ended = self._is_over() and (self._today.session, MarketState.CLOSED) not in self._told
        if ended:
            await self.service.until_done(HISTORY, self._close)
        taker = self._link.taker
        statuses, taker.statuses = taker.statuses, []
        found += [self._wave(status=status) for status in statuses]
        if self._link.gap is None and (ticks := taker.bars.drain()):
            found.append(self._wave(sorted(ticks, key=self._place)))
        return found + (self._state(MarketState.CLOSED, self._today.session.closes_at) if ended else [])

    async def _turn(self) -> None:
        """Go on to the next session when it has begun."""
        following = self._today.following
        if following is None or self.service.clock.now() < following.opens_at:
            return
        self._today = await self._read_today()
        self._link.session = self._today.session
        self._link.tickers = self._wanted()
        taker = self._link.taker
        taker.bars.sessions, taker.bars.factors = self._sessions(), await self._factors(self._link.history)
        taker.begin(self._today.session.opens_at)

    async def _close(self) -> None:
        """The vendor's daily bars of the session that is over, in place of ours."""
        session, bars = self._today.session, self._link.taker.bars
        first = datetime.combine(session.session_date, time(), UTC)
        last = datetime.combine(session.session_date, _NOON)
        async for page in self._link.history.bars(self._link.tickers, "1Day", first, last):
            for ticker, found in page.items():
                for bar in found:
                    bars.take_snapshot(
                        ticker,
                        Snapshot(
                            time=session.closes_at,
                            open=bar.open,
                            high=bar.high,
                            low=bar.low,
                            close=bar.close,
                            volume=bar.volume,
                        ),
                    )
        bars.finish(session.session_date)
        # What the stream missed of this session is in them.
        self._link.gap = None

    async def _read_today(self) -> Today:
        now = self.service.clock.now
        return await self.service.until_done(
            "feed", lambda: self.database.run(lambda connection: read_today(connection, now(), self.name))
        )

    def _wanted(self) -> list[str]:
        settings = self.service.settings
        preferred = [settings.model.market_ticker, *settings.data.tickers]
        return wanted(self._today.tickers, preferred, settings.alpaca.stream.tickers)

    async def _factors(self, history: History) -> dict[str, float]:
        today = self._today.session.session_date

        async def ask() -> list[Actions]:
            return [page async for page in history.actions(today)]

        return running_factors(self._today.previous, await self.service.until_done(HISTORY, ask), today)

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
