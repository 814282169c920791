"""The replay of real sessions: of daily bars as the database has them, or of minute bars in files."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import msgspec

from riskee.errors import PoisonError
from riskee.ids import quote_id
from riskee.logs import get_logger
from riskee.market.minute_replay import expand_minutes
from riskee.market.quotes import Tick
from riskee.market.replay import expand
from riskee.market.sources.minute_files import read_session
from riskee.messaging.messages import MarketState, MarketStatus
from riskee.storage.bars import session_bars
from riskee.storage.newest_bars import newest_factors
from riskee.storage.replay import Act, next_act, remember
from riskee.storage.tickers import read_tickers
from serving.consumers.feeds.feed import Unplayable, Wave, rest
from serving.consumers.feeds.lockstep import until_predicted
from serving.consumers.service import Service
from serving.database import Database

# A replay that repeats must not spin over sessions of which there is nothing to tell.
_NOTHING_SECONDS = 0.25

_log = get_logger(__name__)


@dataclass(frozen=True)
class Script:
    """What is told of one session: the quotes of each moment, and what cannot be told."""

    moments: Sequence[Sequence[Tick]]
    unplayable: Sequence[Unplayable]


@dataclass
class ReplayFeed:
    """Plays one session after the other, at the pace that the settings say."""

    service: Service
    database: Database
    max_age: timedelta | None = None
    max_lag: timedelta | None = None
    _due: datetime | None = None

    async def waves(self) -> AsyncIterator[Wave]:
        """The waves of one session after the other; ends after the last one, unless the replay repeats."""
        while act := await self.service.until_done("feed", self._next):
            known = frozenset(info.ticker for info in await self.database.run(read_tickers))
            script = await self.service.until_done("feed", lambda act=act: self._write(act))  # type: ignore[misc]
            yield Wave(act.feed, known, unplayable=script.unplayable)
            for number, ticks in enumerate(script.moments):
                await self._pace(len(script.moments))
                if not number:
                    # With the first quotes and no earlier: until then the last session's numbers are of a closed one.
                    yield Wave(act.feed, known, status=_status(act, MarketState.OPEN))
                yield Wave(act.feed, known, ticks=_unplayed(ticks, act))
                if self.service.settings.feed.replay.lockstep:
                    await until_predicted(self.service)
            yield Wave(act.feed, known, status=_status(act, MarketState.CLOSED))
            count = sum(map(len, script.moments))
            await self.service.until_done("feed", lambda act=act, count=count: self._remember(act, count))  # type: ignore[misc]
            if not count:
                await rest(self.service, _NOTHING_SECONDS)

    async def _next(self) -> Act | None:
        replay = self.service.settings.feed.replay
        return await self.database.run(lambda connection: next_act(connection, replay))

    async def _write(self, act: Act) -> Script:
        folder = self.service.settings.feed.replay.minutes
        ticks, unplayable = await (self._daily(act) if folder is None else self._minutes(act, folder))
        return Script(_moments(ticks, self.service.settings.model.market_ticker), unplayable)

    async def _daily(self, act: Act) -> tuple[list[Tick], list[Unplayable]]:
        day = act.session.session_date
        ticks: list[Tick] = []
        unplayable: list[Unplayable] = []
        for bar in await self.database.run(lambda connection: session_bars(connection, day, day)):
            try:
                ticks += expand(bar, act.session, act.feed)
            except PoisonError as error:
                unplayable.append(Unplayable(msgspec.json.encode(bar), str(error)))
        return ticks, unplayable

    async def _minutes(self, act: Act, folder: Path) -> tuple[list[Tick], list[Unplayable]]:
        day = act.session.session_date
        found = await asyncio.to_thread(read_session, folder, act.session)
        factors = await self.database.run(lambda connection: newest_factors(connection, day))
        _log.info("minutes", session=day.isoformat(), tickers=len(found.bars), notes=found.notes)
        complete = found.reach_the_close(act.session)
        ticks = list(expand_minutes(found.bars, act.session, act.feed, factors, complete=complete))
        return ticks, [Unplayable(row.body.encode(), f"{row.place}: {row.reason}") for row in found.refused]

    async def _remember(self, act: Act, count: int) -> None:
        await self.database.run(lambda connection: remember(connection, act, self.service.clock, count))

    async def _pace(self, moments: int) -> None:
        """Wait until the next moment is due. A feed that was held up goes on from there and does not hurry."""
        now = self.service.clock.now()
        self._due = max(self._due or now, now)
        await rest(self.service, (self._due - now).total_seconds())
        self._due += timedelta(seconds=self.service.settings.feed.replay.session_seconds / moments)


def _status(act: Act, state: MarketState) -> MarketStatus:
    moment = act.session.opens_at if state is MarketState.OPEN else act.session.closes_at
    return MarketStatus(feed=act.feed, state=state, data_time=moment, reason="replay of real prices")


def _moments(ticks: Iterable[Tick], market: str) -> list[list[Tick]]:
    """The quotes by their time; the market's come first, for the others are predicted from them."""

    def order(tick: Tick) -> tuple[datetime, bool, str]:
        return tick.data_time, tick.ticker != market, tick.ticker

    return [list(moment) for _, moment in groupby(sorted(ticks, key=order), key=lambda tick: tick.data_time)]


def _unplayed(ticks: Iterable[Tick], act: Act) -> list[Tick]:
    """Those that no process before this one has published."""
    return [t for t in ticks if quote_id(t.feed, t.ticker, t.data_time, t.sequence) not in act.played]
