"""The replay of real sessions."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from riskee.errors import PoisonError
from riskee.market.bars import Bar
from riskee.market.quotes import Tick
from riskee.market.replay import WAVES, expand
from riskee.messaging.messages import MarketState, MarketStatus
from riskee.storage.replay import Act, next_act, remember
from riskee.storage.tickers import read_tickers
from serving.consumers.feeds.feed import Unplayable, Wave, rest
from serving.consumers.service import Service
from serving.database import Database


@dataclass
class ReplayFeed:
    """Plays the last sessions of the database, one after the other, at the pace that the settings say."""

    service: Service
    database: Database
    max_age: timedelta | None = None
    _due: datetime | None = None

    async def waves(self) -> AsyncIterator[Wave]:
        """The waves of one session after the other; ends after the last one, unless the replay repeats."""
        while act := await self.service.until_done("feed", self._next):
            known = frozenset(info.ticker for info in await self.database.run(read_tickers))
            told, unplayable = _tell(act, self.service.settings.model.market_ticker)
            yield Wave(act.feed, known, unplayable=unplayable, status=_status(act, MarketState.OPEN))
            for ticks in _waves(act, told):
                await self._pace()
                yield Wave(act.feed, known, ticks=ticks)
            yield Wave(act.feed, known, status=_status(act, MarketState.CLOSED))
            await self.service.until_done("feed", lambda act=act: self._remember(act))  # type: ignore[misc]

    async def _next(self) -> Act | None:
        replay = self.service.settings.feed.replay
        return await self.database.run(lambda connection: next_act(connection, replay.sessions, repeat=replay.repeat))

    async def _remember(self, act: Act) -> None:
        await self.database.run(lambda connection: remember(connection, act, self.service.clock))

    async def _pace(self) -> None:
        """Wait until the next wave is due. A feed that was held up goes on from there and does not hurry."""
        now = self.service.clock.now()
        self._due = max(self._due or now, now)
        await rest(self.service, (self._due - now).total_seconds())
        self._due += timedelta(seconds=self.service.settings.feed.replay.session_seconds / WAVES)


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
