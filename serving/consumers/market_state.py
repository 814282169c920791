"""The state that predicts: bars, calendar and the quotes taken since, and when it must be built anew."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.messages import Quote
from riskee.settings import Settings
from riskee.telemetry import STATE_REBUILDS
from serving.consumers.announced import Announced
from serving.consumers.forecasting import Forecaster
from serving.consumers.knowledge import Knowledge
from serving.consumers.models import Models
from serving.consumers.portion import Portion
from serving.consumers.publishing import Publisher
from serving.consumers.tail import Tail
from serving.consumers.waves import Waves

_log = get_logger(__name__)


class MarketState:
    """A forecaster and where it is. Not safe for two callers at once.

    It has the bars of its portion, and the market's; `took` hears which quotes it has taken.
    """

    def __init__(
        self,
        settings: Settings,
        knowledge: Knowledge,
        publisher: Publisher,
        models: Models,
        portion: Portion,
        took: Callable[[Sequence[Quote]], None],
        announced: Announced,
    ) -> None:
        self.waves = Waves(settings.model.market_ticker)
        self.forecaster: Forecaster | None = None
        self._settings = settings
        self._knowledge = knowledge
        self._publisher = publisher
        self._models = models
        self._portion = portion
        self._took = took
        self._announced = announced

    def take(self, forecaster: Forecaster, quotes: Sequence[Quote]) -> None:
        """Put quotes of one session into the state, each ticker at most once."""
        forecaster.take(quotes)
        self.waves.took(quotes)
        self._took(quotes)

    async def ready_for(self, wave: Sequence[Quote], *, resuming: bool = False) -> Forecaster:
        """A forecaster whose state ends where these quotes begin; from the database where it does not already.

        `resuming`: for old quotes too it ends with the latest that was predicted from, as if there had been no
        restart.
        Raises RetryableError where that is away; the state is then as it was.
        """
        day, feed = wave[0].session_date, wave[0].feed
        forecaster = self.forecaster
        unknown = {quote.ticker for quote in wave if forecaster is None or not forecaster.knows(quote)}
        if forecaster is None or self.waves.must_rebuild(feed, day, unknown):
            return await self._rebuild(wave, resuming=resuming)
        if day != self.waves.day:
            if await self._outdated(forecaster):
                return await self._rebuild(wave, resuming=resuming)
            await self._renew_calendar(forecaster)
        self.waves.advanced(day, forecaster.following(day))
        return forecaster

    async def _outdated(self, forecaster: Forecaster) -> bool:
        """Whether bars were stored since the state was built. Without the database: no, the state goes on."""
        try:
            return await asyncio.to_thread(self._knowledge.newest_recording) != forecaster.bars_as_of
        except RetryableError as error:
            _log.warning("the session begins with the bars as they were known before", cause=str(error))
            return False

    async def _renew_calendar(self, forecaster: Forecaster) -> None:
        """Know what was changed in the calendar since it was read. Without the database: it is as it was."""
        try:
            calendar = await asyncio.to_thread(self._knowledge.newer_calendar, forecaster)
        except RetryableError as error:
            _log.warning("the session begins with the calendar as it was known before", cause=str(error))
            return
        if calendar is not None:
            forecaster.follow(calendar)
            _log.info("the calendar was read anew", reports_of=len(forecaster.state.tickers) - len(calendar.unreported))

    async def _rebuild(self, wave: Sequence[Quote], *, resuming: bool) -> Forecaster:
        """The state from the database and the stream's tail, and from the session's quotes that came before this wave,
        the market's above all."""
        feed, day = wave[0].feed, wave[0].session_date
        tail = Tail(feed, day, None if resuming else _beginning(wave))
        # Before the database: what record stores meanwhile is in both, and nothing in neither.
        await self._portion.unrecorded(tail.take, resuming)
        forecaster = await asyncio.to_thread(self._knowledge.forecaster, day, feed, self._portion.owns, tail.quotes)
        tickers = forecaster.state.tickers
        # The cache has what was predicted from, the database also what still waits on the bus.
        latest = [*await self._publisher.cached_quotes(tickers), *tail.quotes]
        cached = [quote for quote in latest if (quote.feed, quote.session_date) == (feed, day)]
        until = max(each.received_at for each in (*wave, *cached)) if resuming else _beginning(wave)
        stored = await asyncio.to_thread(self._knowledge.session_quotes, feed, day, tickers, until)
        # From here on nothing waits or fails on a server: a state must never be half of one feed, half of another.
        self.forecaster = None
        forecaster.predictors = self._models.predictors
        forecaster.stale_after_seconds = self._settings.feed.stale_after_seconds
        forecaster.announced = self._announced
        STATE_REBUILDS.inc()
        self.waves.rebuilt(feed, [quote.ticker for quote in wave if not forecaster.knows(quote)])
        self.waves.advanced(day, forecaster.following(day))
        before = (*self.waves.latest.values(), *(quote for quote in (*stored, *cached) if quote.received_at <= until))
        earlier = [
            quote for quote in before if forecaster.knows(quote) and (quote.feed, quote.session_date) == (feed, day)
        ]
        for taken in self.waves.split(earlier):
            self.take(forecaster, taken)
        self.forecaster = forecaster
        return forecaster


def _beginning(wave: Sequence[Quote]) -> datetime:
    return min(quote.received_at for quote in wave)
