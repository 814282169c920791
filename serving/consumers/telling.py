"""Tells which numbers are no current ones any more: the bus, the cache, and every second that predict lives."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import msgspec
from sqlalchemy import Engine

from riskee.errors import RetryableError
from riskee.ids import standing_id
from riskee.logs import get_logger
from riskee.market.sessions import Session
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import MarketStatus
from riskee.messaging.standing import FeedStatus, StaleTickers
from riskee.messaging.statuses import Status, gravest
from riskee.messaging.subjects import BEAT, MARKET_STATUS, PREDICTION_STALE, PREDICTION_STATUS
from riskee.storage import keys
from riskee.storage.cache import Cache
from riskee.storage.database import database_errors
from riskee.storage.follow import Follower
from riskee.storage.sessions import read_sessions
from riskee.storage.tickers import read_tickers
from riskee.telemetry import NUMBERS_FLAGGED
from serving.consumers.feed_metrics import show
from serving.consumers.service import Service
from serving.consumers.silence import Silence

TURN_SECONDS = 0.25
BEAT_SECONDS = 1.0
# Announcements are heard of at once; looking as well costs little and survives a reconnection.
_LOOK_SECONDS = 5.0
_REFRESH_SECONDS = 600.0
# The calendar from the last session to the next: no holiday is longer.
CALENDAR_DAYS = timedelta(days=10)

_log = get_logger(__name__)


class Telling:
    """Takes the turns of `Silence` and passes on what they find. All of it is state: sending it again is harmless."""

    def __init__(
        self,
        service: Service,
        silence: Silence,
        cache: Cache,
        engine: Engine,
        monotonic: Callable[[], float],
    ) -> None:
        self._service = service
        self._silence = silence
        self._cache = cache
        self._engine = engine
        self._monotonic = monotonic
        self._woken = asyncio.Event()
        self._announcements = Follower(service.bus, MARKET_STATUS, self._woken)
        self._look_at = self._refresh_at = self._beat_at = monotonic()
        self._refreshing: asyncio.Task[None] | None = None
        self._published: FeedStatus | None = None
        self._unpublished: list[str] = []
        self._status = Status.OK
        self._halted: frozenset[str] = frozenset()
        self._unmarked: dict[str, Status] = {}
        silence.wake = self._woken.set

    async def begin(self) -> None:
        """Catch up with what was announced, before anything is predicted. Raises RetryableError without the bus."""
        stored = await Follower(self._service.bus, PREDICTION_STATUS, self._woken).last()
        if stored is not None:
            self._silence.restore(stored.payload)
            self._announcements.position = stored.payload.read_through
        self._hear(await self._announcements.read())

    async def run(self) -> None:
        """Take turns until the service stops."""
        try:
            while not self._service.stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), TURN_SECONDS)
                looking = self._woken.is_set()
                self._woken.clear()
                await self.turn(looking=looking)
        finally:
            if self._refreshing is not None:
                self._refreshing.cancel()

    async def turn(self, *, looking: bool = False) -> None:
        """One look at the announcements, the clocks and the database where it is time; then tell what changed."""
        now = self._monotonic()
        self._refresh_if_due(now)
        try:
            if looking or now >= self._look_at:
                self._look_at = now + _LOOK_SECONDS
                self._hear(await self._announcements.read())
        except RetryableError as error:
            _log.warning("announcements are read later", cause=str(error))
        self._note(self._silence.turn())
        try:
            await self._publish()
        except RetryableError as error:
            _log.warning("where the feed stands is told later", cause=str(error))
        await self._mark()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_SECONDS
            await self._beat()

    def _refresh_if_due(self, now: float) -> None:
        """Read beside the turns: predict must be heard to live while the database is slow."""
        if self._refreshing is not None:
            if not self._refreshing.done():
                return
            self._refreshing.result()
            self._refreshing = None
        if now >= self._refresh_at:
            self._refresh_at = now + _REFRESH_SECONDS
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        """Know the tickers and the calendar. Without the database: as they were known before."""
        try:
            tickers, sessions = await asyncio.to_thread(self._read)
        except RetryableError as error:
            self._refresh_at = self._monotonic() + _LOOK_SECONDS
            _log.warning("the calendar is as it was known before", cause=str(error))
            return
        self._silence.know(tickers)
        self._silence.announced.calendar = {session.session_date: session for session in sessions}

    def _read(self) -> tuple[list[str], list[Session]]:
        today = self._service.clock.now().date()
        with database_errors(), self._engine.connect() as connection:
            tickers = [info.ticker for info in read_tickers(connection) if not info.is_index]
            return tickers, read_sessions(connection, today - CALENDAR_DAYS, today + CALENDAR_DAYS)

    def _hear(self, announcements: list[Envelope[MarketStatus]]) -> None:
        for envelope in announcements:
            _log.info("announced", **msgspec.to_builtins(envelope.payload))
            self._silence.told(envelope.payload, envelope.timestamp)

    def _standing(self) -> FeedStatus:
        return msgspec.structs.replace(self._silence.standing(), read_through=self._announcements.position)

    async def _publish(self) -> None:
        standing = self._standing()
        # A predictor in reserve has no numbers.
        if standing != self._published and standing.slots:
            await self._service.bus.publish(PREDICTION_STATUS, self._sealed(standing))
            self._published = standing
        if self._unpublished:
            at = self._service.clock.now()
            stale = StaleTickers(feed=standing.feed, tickers=tuple(self._unpublished), since=at)
            identity = standing_id(self._service.name, stale.feed, Status.STALE, at, stale.tickers)
            envelope = wrap(stale, message_id=identity, correlation_id=identity, source=self._service.name, at=at)
            await self._service.bus.publish(PREDICTION_STALE, envelope)
            self._unpublished = []

    def _sealed(self, standing: FeedStatus) -> Envelope[FeedStatus]:
        name, at = self._service.name, self._service.clock.now()
        identity = standing_id(name, standing.feed, standing.status, at, standing.halted)
        return wrap(standing, message_id=identity, correlation_id=identity, source=name, at=at)

    def _note(self, stale: tuple[str, ...]) -> None:
        """Find whose number is no current one any more."""
        silence = self._silence
        # Their numbers are newer than what was found before.
        for ticker in silence.spoke:
            self._unmarked.pop(ticker, None)
        silence.spoke.clear()
        found = {Status.STALE: tuple(ticker for ticker in stale if ticker not in silence.announced.halted)}
        if silence.status is not self._status:
            self._status = silence.status
            _log.warning("the feed stands", feed=silence.feed, status=self._status, since=str(silence.since))
            if self._status is not Status.OK:
                found[self._status] = tuple(silence.owned())
        if silence.announced.halted != self._halted:
            found[Status.HALTED] = tuple(silence.halted() - self._halted)
            self._halted = silence.announced.halted
        for status, tickers in found.items():
            NUMBERS_FLAGGED.labels(status).inc(len(tickers))
            for ticker in tickers:
                self._unmarked[ticker] = gravest((status, self._unmarked.get(ticker, Status.OK)))
        self._unpublished += stale

    async def _mark(self) -> None:
        """Mark their cached numbers. Only a newer prediction takes the mark away, with the number."""
        for status in set(self._unmarked.values()):
            tickers = [ticker for ticker, reason in self._unmarked.items() if reason is status]
            try:
                await self._cache.amend(keys.PREDICTION, [{"ticker": each} for each in tickers], "status", status)
            except RetryableError as error:
                self._service.health.down("redis", str(error))
                return
            for ticker in tickers:
                del self._unmarked[ticker]

    async def _beat(self) -> None:
        standing = self._standing()
        show(standing, self._silence.ages())
        if standing.slots:
            await self._service.bus.tell(BEAT, self._sealed(standing))
