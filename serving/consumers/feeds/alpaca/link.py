"""The link to the vendor: a connection that is made again for ever, and what was missed meanwhile."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.market.minutes import MINUTE, MinuteBar, floor
from riskee.market.sessions import Session
from riskee.settings import AlpacaSettings
from riskee.telemetry import FEED_CONNECTIONS_LOST, FEED_FILLED
from serving.consumers.feeds.alpaca.history import History
from serving.consumers.feeds.alpaca.stream import ConnectionTakenError, Stream, open_stream
from serving.consumers.feeds.alpaca.subscribing import subscribe
from serving.consumers.feeds.alpaca.taker import Taker
from serving.consumers.service import Service

# What the health calls the stream and the REST API.
NAME, HISTORY = "alpaca", "alpaca-history"
_DELAYS = {"delayed_sip": timedelta(minutes=15)}
_LONGEST_PAUSE = 60.0
# A connection that lived so long, in seconds, was a good one: the next pause is short again.
_GOOD = 60.0
# Pauses are so many times as long while something else has the plan's only connection.
_TAKEN = 30.0
# A minute that ended just before the connection broke may lack its late trades.
_LATE = 2 * MINUTE
_MUTE = timedelta(minutes=3)

_log = get_logger(__name__)


@dataclass
class Link:
    """Keeps the taker's bars whole: what the stream says, and by REST what it said while we were away.

    `chance` gives numbers from 0 to 1.
    """

    service: Service
    settings: AlpacaSettings
    taker: Taker
    history: History
    session: Session
    tickers: Sequence[str]
    chance: Callable[[], float]
    # From when on something may be missing; None: nothing is, and what the bars say may be published.
    gap: datetime | None = None
    _subscribed: Sequence[str] = ()
    _connected: bool = False
    # Set while the connection asks for other tickers than are wanted.
    _outdated: asyncio.Event = field(default_factory=asyncio.Event)
    _received_at: datetime | None = None
    _failures: int = 0

    def begin(self, session: Session, tickers: Sequence[str]) -> None:
        """Go on to a session that has just begun, with what is wanted in it."""
        self.session = session
        if not self._connected or tickers != self.tickers:
            self.gap = session.opens_at
        if tickers != self.tickers:
            self.tickers = tickers
            self._outdated.set()

    async def run(self) -> None:
        """Stay connected until cancelled. Raises FatalError where the vendor will never let us in."""
        while True:
            began = asyncio.get_running_loop().time()
            lost: list[RetryableError] = []
            try:
                await self._connection()
            except* RetryableError as group:
                lost = [error for error in group.exceptions if isinstance(error, RetryableError)]
            cause = lost[0] if lost else RetryableError("Alpaca's stream ended")
            self._lost(cause)
            if asyncio.get_running_loop().time() - began > _GOOD:
                self._failures = 0
            first = self.settings.stream.first_pause_seconds
            await asyncio.sleep(pause_after(cause, self._failures, first, self.chance()))
            self._failures += 1

    async def _connection(self) -> None:
        async with open_stream(self.settings) as stream:
            self._outdated.clear()
            self._subscribed, line = await subscribe(stream, self.settings.stream, self.tickers)
            self.service.health.up(NAME)
            self.service.health.note(NAME, line)
            _log.info("connected", feed=self.taker.bars.feed, subscribed=line)
            self._received_at, self._connected = self.service.clock.now(), True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew())
                group.create_task(self._read(stream))
                group.create_task(self._mend())

    async def _read(self, stream: Stream) -> None:
        async for messages in stream.messages():
            self.taker.take(messages)
            self._received_at = self.service.clock.now()

    async def _renew(self) -> None:
        await self._outdated.wait()
        raise RetryableError("other tickers are wanted", "a new connection subscribes to them")

    async def _mend(self) -> None:
        """Fill the gap; then again, for what came late at its edge; then whatever corrections have made doubtful."""
        gap = self.gap
        if gap is not None:
            filled = await self._fill(gap)
            # A session that began meanwhile may have opened another one.
            self.gap = None if self.gap == gap else self.gap
            await asyncio.sleep(self.settings.stream.settle_seconds)
            await self._fill(filled - _LATE)
        while True:
            await self._settle()

    async def _settle(self) -> None:
        """Fetch what is doubtful now, when the vendor's history has it; what becomes doubtful meanwhile waits."""
        doubtful, self.taker.doubtful = self.taker.doubtful, set()
        try:
            await asyncio.sleep(self.settings.stream.settle_seconds)
            require_life(self.session, self.service.clock.now(), self._received_at, delay_of(self.settings))
            if doubtful:
                await self._restore(doubtful)
            doubtful = set()
        finally:
            self.taker.doubtful |= doubtful

    async def _fill(self, first: datetime) -> datetime:
        """Take the minutes from `first` to the last that is over; answers that one."""
        first, last = max(first, self.session.opens_at), self._last_minute()
        if first > last:
            return last
        async for page in self.history.bars(self._subscribed, "1Min", first, last):
            for ticker, bars in page.items():
                for bar in bars:
                    self.taker.bars.take_minute(ticker, bar.as_minute())
                FEED_FILLED.labels(NAME).inc(len(bars))
        self._confirm((ticker for ticker in self._subscribed if ticker not in self.history.refused), last)
        _log.info("filled", first=first.isoformat(), last=last.isoformat())
        return last

    async def _restore(self, tickers: set[str]) -> None:
        last = self._last_minute()
        found: dict[str, list[MinuteBar]] = {}
        async for page in self.history.bars(sorted(tickers), "1Min", self.session.opens_at, last):
            for ticker, bars in page.items():
                found.setdefault(ticker, []).extend(bar.as_minute() for bar in bars)
        for ticker, minutes in found.items():
            self.taker.bars.restore(ticker, minutes)
        self._confirm(found, last)

    def _confirm(self, tickers: Iterable[str], last: datetime) -> None:
        """The vendor was asked for all up to here: what it did not tell did not happen."""
        for ticker in tickers:
            self.taker.bars.confirm(ticker, last + MINUTE)

    def _last_minute(self) -> datetime:
        """The newest minute of the session that is over, as far as the feed tells of it yet."""
        now = self.service.clock.now() - delay_of(self.settings)
        return min(floor(now), self.session.closes_at) - MINUTE

    def _lost(self, cause: RetryableError) -> None:
        self._connected = False
        FEED_CONNECTIONS_LOST.labels(NAME).inc()
        self.service.health.down(NAME, str(cause))
        if self.gap is None and self._received_at is not None:
            self.gap = floor(self._received_at - delay_of(self.settings)) - _LATE


def delay_of(settings: AlpacaSettings) -> timedelta:
    """How far the feed is behind the exchange."""
    return _DELAYS.get(settings.feed, timedelta())


def pause_after(cause: RetryableError, failures: int, first: float, chance: float) -> float:
    """Seconds to wait: ever longer, and never the same, so that not all clients return at one moment."""
    first *= _TAKEN if isinstance(cause, ConnectionTakenError) else 1.0
    longest = max(_LONGEST_PAUSE, first)
    return min(longest, first * 2.0 ** min(failures, 16)) * (0.5 + 0.5 * chance)


def require_life(session: Session, now: datetime, received_at: datetime | None, delay: timedelta) -> None:
    """Raises RetryableError where a connection says nothing while the exchange is open: each minute has its bars.

    A delayed feed begins and ends that much later.
    """
    is_open = session.opens_at + _MUTE < now - delay < session.closes_at
    if is_open and received_at is not None and now - received_at > _MUTE:
        raise RetryableError("Alpaca's stream says nothing", "it is connected again")
