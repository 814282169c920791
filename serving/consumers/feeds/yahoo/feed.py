"""The live feed of Yahoo: every ticker's chart, asked for one after the other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from riskee.errors import NotFoundError, PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.market.running_bars import RunningBars
from riskee.market.session_bar import Snapshot
from riskee.market.sources.yahoo_chart import Chart
from riskee.messaging.messages import MarketState, MarketStatus
from serving.consumers.feeds.feed import Wave, rest
from serving.consumers.feeds.today import Today, read_today
from serving.consumers.feeds.yahoo.client import ChartClient
from serving.consumers.service import Service
from serving.database import Database

NAME = "yahoo"
# So often a group is asked for in a round; then it is left to the next one.
_ATTEMPTS = 3
# Tickers that are named in the health; the log has them all.
_NAMED = 5
# No quote of a poll is too far behind another: a price is of its last trade, which may be long ago.
_ANY_LAG = timedelta(days=30)

_log = get_logger(__name__)


@dataclass
class YahooFeed:
    """Polls while the session is open, and slowly while it is not. What a round of polls changes are quotes."""

    service: Service
    database: Database
    max_age: timedelta | None = None
    max_lag: timedelta | None = _ANY_LAG
    _client: ChartClient = field(init=False)
    _bars: RunningBars = field(init=False)
    _today: Today | None = None
    # Of tickers that split or went ex dividend today.
    _factors: dict[str, float] = field(default_factory=dict)
    _unknown: set[str] = field(default_factory=set)
    _old: set[str] = field(default_factory=set)
    # Without a readable chart in the last round.
    _left: set[str] = field(default_factory=set)
    _ended: bool = False

    async def waves(self) -> AsyncIterator[Wave]:
        """Waves until asked to stop."""
        self._client = ChartClient.connect(self.service.settings.yahoo, self.service.clock)
        self._bars = RunningBars(NAME, [])
        try:
            while True:
                today = await self.service.until_done("feed", self._read_today)
                if self._turn(today):
                    yield self._state(MarketState.OPEN, today.session.opens_at)
                over = self._is_over(today)
                async for wave in self._round(today, over=over):
                    yield wave
                if over and not self._ended and self._has_answered(today):
                    self._ended = True
                    yield self._state(MarketState.CLOSED, today.session.closes_at)
                await rest(self.service, self._pause(today))
        finally:
            await self._client.close()

    async def _read_today(self) -> Today:
        now = self.service.clock.now()
        return await self.database.run(lambda connection: read_today(connection, now, NAME))

    def _turn(self, today: Today) -> bool:
        """Take what the database knows; whether a session has begun."""
        begun = self._today is None or self._today.session != today.session
        if self._today is None:
            for quote in today.last_quotes:
                self._bars.resume(quote)
        if begun:
            self._ended = False
            self._unknown.clear()
            self._factors.clear()
        self._today = today
        self._bars.sessions, self._bars.factors = [today.session], {**today.factors, **self._factors}
        return begun

    def _tickers(self, today: Today) -> list[str]:
        """Whom to ask for: the market first, for the others are predicted from it."""
        settings = self.service.settings
        wanted = settings.data.tickers or today.tickers
        found = dict.fromkeys([settings.model.market_ticker, *wanted])
        return [ticker for ticker in found if ticker not in self._unknown]

    async def _round(self, today: Today, *, over: bool) -> AsyncIterator[Wave]:
        """A chart of every ticker; some at once, and published together. When the session is over they are final.

        What no chart could be read of is final in a later round, or when the next session begins.
        """
        tickers, at_once = self._tickers(today), self.service.settings.yahoo.poll.at_once
        self._left.clear()
        for start in range(0, len(tickers), at_once):
            group = tickers[start : start + at_once]
            self._left.update(await self._ask(group, today))
            if over:
                self._bars.finish(today.session.session_date, [t for t in group if t not in self._left])
            yield self._wave()
            if self._is_past(today):
                break
        else:
            if over and self._has_answered(today):
                self._bars.finish(today.session.session_date, sorted(self._known() - self._left))
                yield self._wave()
        self._note("unknown", "Yahoo does not know", self._unknown)
        self._note("old", "prices are too old of", self._old)
        self._note("left", "Yahoo gave no chart of", self._left)

    async def _ask(self, group: Sequence[str], today: Today) -> list[str]:
        """Take the charts of some tickers, asking again where Yahoo is away; those without one."""
        unread: list[str] = []
        waiting = list(group)
        for _ in range(_ATTEMPTS):
            results = await asyncio.gather(*(self._chart(ticker, today) for ticker in waiting))
            failures = {t: error for t, error in zip(waiting, results, strict=True) if error is not None}
            waiting = [ticker for ticker, error in failures.items() if isinstance(error, RetryableError)]
            unread += failures.keys() - set(waiting)
            if failures and (waiting or len(unread) == len(group)):
                self.service.health.down(NAME, str(next(reversed(failures.values()))))
            if not waiting or self._is_past(today):
                break
        if len(unread) + len(waiting) < len(group):
            self.service.health.up(NAME)
        return unread + waiting

    async def _chart(self, ticker: str, today: Today) -> PoisonError | RetryableError | None:
        """What is wrong with the ticker's chart; None where it was taken, or there is none to take."""
        await rest(self.service, self._client.pause())
        try:
            found = await self._client.chart(ticker, today.session)
        except NotFoundError as error:
            _log.warning("unknown symbol", ticker=ticker, cause=error.cause)
            self._unknown.add(ticker)
        except PoisonError as error:
            _log.warning("no chart", ticker=ticker, cause=error.cause)
            return error
        except RetryableError as error:
            return error
        else:
            if found is not None and not self._is_old(ticker, found.bar, today):
                self._take(ticker, found, today)
        return None

    def _take(self, ticker: str, found: Chart, today: Today) -> None:
        """Take a chart. Without its factor a share that splits or goes ex dividend today would seem to fall."""
        previous = today.previous.get(ticker)
        if previous is not None and (found.split, found.dividend) != (1.0, 0.0):
            self._factors[ticker] = previous.factor_after(found.split, found.dividend)
            self._bars.factors = {**today.factors, **self._factors}
        self._bars.take_snapshot(ticker, found.bar)

    def _is_old(self, ticker: str, found: Snapshot, today: Today) -> bool:
        """Whether the market is open and the price of another hour: then the last one stays, and becomes stale."""
        longest = timedelta(seconds=self.service.settings.yahoo.poll.max_age_seconds)
        now = min(self.service.clock.now(), today.session.closes_at)
        old = now - found.time > longest
        (self._old.add if old else self._old.discard)(ticker)
        return old

    def _note(self, name: str, what: str, tickers: set[str]) -> None:
        named = sorted(tickers)[:_NAMED]
        more = f" and {len(tickers) - _NAMED} more" if len(tickers) > _NAMED else ""
        self.service.health.note(name, f"{what} {', '.join(named)}{more}" if tickers else "none")

    def _wave(self) -> Wave:
        return Wave(NAME, self._known(), sorted(self._bars.drain(), key=lambda tick: tick.data_time))

    def _state(self, state: MarketState, moment: datetime) -> Wave:
        status = MarketStatus(feed=NAME, state=state, data_time=moment, reason="the exchange's hours")
        return Wave(NAME, self._known(), status=status)

    def _known(self) -> frozenset[str]:
        tickers = self._today.tickers if self._today else ()
        return frozenset([self.service.settings.model.market_ticker, *tickers])

    def _has_answered(self, today: Today) -> bool:
        """Whether the round had any chart. While Yahoo is away no session is over."""
        return not self._left or len(self._left) < len(self._tickers(today))

    def _is_past(self, today: Today) -> bool:
        """Whether the next session has begun, which the round must not hold up."""
        return today.following is not None and self.service.clock.now() >= today.following.opens_at

    def _is_over(self, today: Today) -> bool:
        """Whether the close has passed, and the delay that prices come with."""
        settled = timedelta(seconds=self.service.settings.yahoo.poll.settle_seconds)
        return self.service.clock.now() >= today.session.closes_at + settled

    def _pause(self, today: Today) -> float:
        """Seconds until the next round: a closed market is asked for seldom, but for its opening."""
        poll = self.service.settings.yahoo.poll
        if not self._ended:
            return poll.seconds
        if today.following is None:
            return poll.closed_seconds
        opening = (today.following.opens_at - self.service.clock.now()).total_seconds()
        return min(poll.closed_seconds, max(opening, 0.0))
