"""The feed of files that another program appends ticks or minute bars to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from riskee.errors import FatalError, PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.market.folded_bars import Fold, FoldedBars
from riskee.market.quotes import Tick
from riskee.market.sessions import Session
from riskee.market.sources.live_rows import LiveRow
from riskee.market.sources.tail import Place
from riskee.messaging.messages import MarketState, MarketStatus
from riskee.storage.feed_state import FeedState, read_feed_state, write_feed_state
from riskee.storage.newest_bars import newest_factors
from riskee.storage.sessions import read_sessions
from riskee.storage.tickers import read_tickers
from serving.consumers.feeds.feed import Unplayable, Wave, rest
from serving.consumers.feeds.followed import FollowedFiles, Found, Refused
from serving.consumers.service import Service
from serving.database import Database

NAME = "file"
# What was read since is read again after a crash, and the bus drops what it has seen.
_NOTE_SECONDS = 2.0

_log = get_logger(__name__)


class Position(msgspec.Struct, frozen=True):
    """Where a feed of files is: how far each file was read, and the running bars that came of it."""

    places: dict[str, Place]
    folds: tuple[Fold, ...] = ()


@dataclass
class FileFeed:
    """Every row becomes a quote with the running daily bar of its ticker. A row counts once, whatever is killed."""

    service: Service
    database: Database
    max_lag: timedelta | None = None
    _files: FollowedFiles = field(init=False)
    _bars: FoldedBars = field(init=False)
    _known: frozenset[str] = frozenset()
    _session: Session | None = None
    _quiet_since: datetime | None = None
    # What is on the bus, and when it was last written down.
    _reached: Position | None = None
    _noted: datetime | None = None

    @property
    def max_age(self) -> timedelta | None:
        seconds = self.service.settings.feed.file.max_age_seconds
        return timedelta(seconds=seconds) if seconds else None

    @property
    def _path(self) -> Path:
        path = self.service.settings.feed.file.path
        if path is None:
            raise FatalError("the feed of files has no file", "set RISKEE_FEED__FILE__PATH to a file or folder")
        return path.absolute()

    async def waves(self) -> AsyncIterator[Wave]:
        """Waves until asked to stop. Raises FatalError where no file is named."""
        path = self._path
        await self.service.until_done("feed", lambda: self._begin(path))
        try:
            while True:
                found = await self.service.until_done("feed", lambda: asyncio.to_thread(self._files.read))
                async for wave in self._tell(found):
                    yield wave
                self._reached = Position(dict(self._files.places), tuple(self._bars.folds.values()))
                await self.service.until_done("feed", self._note)
                if not found:
                    await rest(self.service, self.service.settings.feed.file.poll_seconds)
        finally:
            self._files.close()
            with suppress(RetryableError):
                await self._write()

    async def _begin(self, path: Path) -> None:
        state = await self.database.run(lambda connection: read_feed_state(connection, f"{NAME}/{path}"))
        position = msgspec.convert(state.position, Position) if state and state.position else Position({})
        sessions = await self.database.run(read_sessions)
        if not sessions:
            raise RetryableError("the database knows no sessions", "import a history first: `riskee up`")
        self._files = FollowedFiles(path, dict(position.places))
        self._bars = FoldedBars(NAME, sessions)
        self._bars.restore(position.folds)
        self._reached = position
        newest = max((fold.session_date for fold in position.folds), default=None)
        for session in sessions:
            if session.session_date == newest:
                await self._turn(session)

    async def _turn(self, session: Session) -> None:
        """Look up what a session's quotes need."""
        self._session = session
        self._bars.factors = await self.database.run(
            lambda connection: newest_factors(connection, session.session_date)
        )
        self._known = frozenset(info.ticker for info in await self.database.run(read_tickers))

    async def _tell(self, found: Sequence[Found]) -> AsyncIterator[Wave]:
        """The waves of what was read: the rows of a session together, and the states between sessions."""
        ticks: list[Tick] = []
        refused: list[Unplayable] = []
        for one in found:
            try:
                row = _row(one)
                session = self._bars.session_of(row)
                if self._session is None or session.session_date > self._session.session_date:
                    yield Wave(NAME, self._known, self._ordered(ticks), refused)
                    ticks, refused = [], []
                    async for wave in self._go_on_to(session):
                        yield wave
                ticks.append(self._bars.take(row))
            except PoisonError as error:
                refused.append(Unplayable(one.line.text, f"{one.where}: {error}"))
        if ticks or refused:
            yield Wave(NAME, self._known, self._ordered(ticks), refused)
        if self._is_over(found):
            async for wave in self._end():
                yield wave

    async def _go_on_to(self, session: Session) -> AsyncIterator[Wave]:
        async for wave in self._end():
            yield wave
        await self.service.until_done("feed", lambda: self._turn(session))
        yield Wave(NAME, self._known, status=_status(MarketState.OPEN, session.opens_at))

    async def _end(self) -> AsyncIterator[Wave]:
        """The final quotes of the session that was under way."""
        if self._session is None:
            return
        if ticks := self._bars.finish(self._session):
            yield Wave(NAME, self._known, self._ordered(ticks))
            yield Wave(NAME, self._known, status=_status(MarketState.CLOSED, self._session.closes_at))

    def _is_over(self, found: Sequence[Found]) -> bool:
        """Whether the session has closed and nothing came for a while."""
        now = self.service.clock.now()
        if found or self._quiet_since is None:
            self._quiet_since = now
        settled = timedelta(seconds=self.service.settings.feed.file.settle_seconds)
        return self._session is not None and now - max(self._quiet_since, self._session.closes_at) >= settled

    def _ordered(self, ticks: Sequence[Tick]) -> list[Tick]:
        """In order of time, the market's quotes before the others of their moment."""
        market = self.service.settings.model.market_ticker
        return sorted(ticks, key=lambda tick: (tick.data_time, tick.ticker != market))

    async def _note(self) -> None:
        """Write down what is on the bus, now and then."""
        now = self.service.clock.now()
        if self._noted is None or now - self._noted >= timedelta(seconds=_NOTE_SECONDS):
            await self._write()
            self._noted = now

    async def _write(self) -> None:
        if self._reached is None or self._session is None:
            return
        position = msgspec.to_builtins(self._reached)
        name, day, now = f"{NAME}/{self._path}", self._session.session_date, self.service.clock.now()
        state = FeedState(name, 1, day, now, position)
        await self.database.run(lambda connection: write_feed_state(connection, state))


def _row(found: Found) -> LiveRow:
    if isinstance(found.row, Refused):
        raise PoisonError(found.row.reason)
    return found.row


def _status(state: MarketState, moment: datetime) -> MarketStatus:
    return MarketStatus(feed=NAME, state=state, data_time=moment, reason="rows of a file")
