"""The feed of files that another program appends ticks or minute bars to."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from riskee.errors import FatalError, PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.market.folded_bars import Fold, FoldedBars
from riskee.market.quotes import MOST_AHEAD, Tick
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
# Rows of several files, or of past days, may be far behind each other.
_ANY_LAG = timedelta(days=3650)
# Tickers and sessions are read again for a row that is not known, but not for each.
_LOOK_AGAIN = timedelta(minutes=1)
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
    max_lag: timedelta | None = _ANY_LAG
    _files: FollowedFiles = field(init=False)
    _bars: FoldedBars = field(init=False)
    _known: frozenset[str] = frozenset()
    _looked: datetime | None = None
    _session: Session | None = None
    _quiet_since: datetime | None = None
    # What is on the bus, what of it is written down, and since when.
    _reached: Position | None = None
    _written: Position | None = None
    _noted: datetime | None = None

    @property
    def max_age(self) -> timedelta | None:
        seconds = self.service.settings.feed.file.max_age_seconds
        return timedelta(seconds=seconds) if seconds else None

    @property
    def _name(self) -> str:
        """Two files are two feeds, whose quotes have nothing to do with each other."""
        return f"{NAME}/{hashlib.sha256(str(self._path).encode()).hexdigest()[:8]}"

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
                self._say_what_is_unreadable()
                told = bool(found)
                async for wave in self._tell(found):
                    yield wave
                    told = True
                if told:
                    self._reached = Position(dict(self._files.places), tuple(self._bars.folds.values()))
                await self.service.until_done("feed", self._note)
                if not found:
                    await rest(self.service, self.service.settings.feed.file.poll_seconds)
        finally:
            self._files.close()
            with suppress(RetryableError):
                await self._write()

    async def _begin(self, path: Path) -> None:
        state = await self.database.run(lambda connection: read_feed_state(connection, self._name))
        position = msgspec.convert(state.position, Position) if state and state.position else Position({})
        self._files = FollowedFiles(path, dict(position.places))
        self._bars = FoldedBars(self._name, ())
        self._bars.restore(position.folds)
        await self._look_up()
        if not self._bars.sessions:
            raise RetryableError("the database knows no sessions", "import a history first: `riskee up`")
        self._reached = self._written = position
        newest = max((fold.session_date for fold in position.folds), default=None)
        for session in self._bars.sessions:
            if session.session_date == newest:
                await self._turn(session)

    async def _look_up(self) -> None:
        """What the database knows: the tickers and the sessions."""
        self._known = frozenset(info.ticker for info in await self.database.run(read_tickers))
        self._bars.sessions = await self.database.run(read_sessions)
        self._looked = self.service.clock.now()

    async def _turn(self, session: Session) -> None:
        """Look up what a session's quotes need."""
        self._session = session
        self._bars.factors = await self.database.run(
            lambda connection: newest_factors(connection, session.session_date)
        )
        await self._look_up()

    async def _look_again(self, found: Sequence[Found]) -> None:
        """Tickers may have been imported since."""
        assert self._looked is not None  # noqa: S101 (it began)
        tickers = {one.row.ticker for one in found if isinstance(one.row, LiveRow)}
        if tickers - self._known and self.service.clock.now() - self._looked >= _LOOK_AGAIN:
            await self._look_up()

    def _say_what_is_unreadable(self) -> None:
        if self._files.unreadable:
            self.service.health.down("files", "; ".join(self._files.unreadable.values()))
        else:
            self.service.health.forget("files")

    async def _tell(self, found: Sequence[Found]) -> AsyncIterator[Wave]:
        """The waves of what was read: the rows of a session together, and the states between sessions."""
        ticks: list[Tick] = []
        refused: list[Unplayable] = []
        await self.service.until_done("feed", lambda: self._look_again(found))
        for one in found:
            try:
                row = self._believed(one)
                session = self._bars.session_of(row)
                if self._session is None or session.session_date > self._session.session_date:
                    yield Wave(self._name, self._known, self._ordered(ticks), refused)
                    ticks, refused = [], []
                    async for wave in self._go_on_to(session):
                        yield wave
                ticks.append(self._bars.take(row))
            except PoisonError as error:
                refused.append(Unplayable(one.line.text, f"{one.where}: {error}"))
        if ticks or refused:
            yield Wave(self._name, self._known, self._ordered(ticks), refused)
        if self._is_over(found):
            async for wave in self._end():
                yield wave

    async def _go_on_to(self, session: Session) -> AsyncIterator[Wave]:
        async for wave in self._end():
            yield wave
        self._bars.forget_before(session.session_date)
        self._files.forget_gone()
        await self.service.until_done("feed", lambda: self._turn(session))
        yield self._state(MarketState.OPEN, session.opens_at)

    async def _end(self) -> AsyncIterator[Wave]:
        """The final quotes of the session that was under way."""
        if self._session is None:
            return
        if ticks := self._bars.finish(self._session):
            yield Wave(self._name, self._known, self._ordered(ticks))
            yield self._state(MarketState.CLOSED, self._session.closes_at)

    def _believed(self, found: Found) -> LiveRow:
        """The row, before it may end a session or change a bar. Raises PoisonError where there is none, and for one
        of the future, of a ticker that is not known or of a session that is over."""
        if isinstance(found.row, Refused):
            raise PoisonError(found.row.reason)
        row = found.row
        if row.time > self.service.clock.now() + MOST_AHEAD:
            raise PoisonError(f"{row.ticker} at {row.time.isoformat()} is of the future", "mend the writer's clock")
        if row.ticker not in self._known:
            raise PoisonError(f"{row.ticker} is not in the tickers table", "import its history first")
        if self._session is not None and row.time < self._session.opens_at:
            raise PoisonError(
                f"{row.ticker} at {row.time.isoformat()} comes after a later session began", "sessions are in order"
            )
        return row

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
        reached = self._reached
        if reached is self._written or self._session is None:
            return
        position = msgspec.to_builtins(reached)
        state = FeedState(self._name, 1, self._session.session_date, self.service.clock.now(), position)
        await self.database.run(lambda connection: write_feed_state(connection, state))
        self._written = reached

    def _state(self, state: MarketState, moment: datetime) -> Wave:
        status = MarketStatus(feed=self._name, state=state, data_time=moment, reason="rows of a file")
        return Wave(self._name, self._known, status=status)
