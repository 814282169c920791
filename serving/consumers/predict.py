"""predict: quotes and jobs become predictions. `python -m serving.consumers.predict`."""

import asyncio
import time
from collections.abc import Callable, Sequence

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import ModelType, PredictJob, Quote
from riskee.messaging.statuses import Status
from riskee.storage.cache import Cache
from riskee.storage.database import make_service_engine
from riskee.telemetry import QUOTES_COALESCED, STATE_REBUILDS
from serving.consumers.announced import Announced
from serving.consumers.forecasting import Failure, Forecast, Forecaster
from serving.consumers.knowledge import Knowledge
from serving.consumers.members import Members
from serving.consumers.models import Models
from serving.consumers.overlap import Overlap
from serving.consumers.ownership import Ownership
from serving.consumers.partitions import Unit
from serving.consumers.publishing import Publisher
from serving.consumers.service import Service, run
from serving.consumers.silence import Silence
from serving.consumers.telling import Telling
from serving.consumers.turns import Turns
from serving.consumers.waves import Waves
from serving.consumers.workload import consumptions, take_over

NAME = "predict"
# A job waits for one wave at most, and while a wave is published the next is computed.
LARGEST_WAVE = 512

_log = get_logger(__name__)


def _all(_ticker: str) -> bool:
    return True


def _nothing(_quotes: Sequence[Quote]) -> None:
    pass


class Predict:
    """The handlers of predict, which may be called side by side: they take turns, jobs before quotes.

    `owns` says whose quotes come here, besides the market's; `took` hears which quotes the state has taken.
    """

    def __init__(
        self,
        service: Service,
        knowledge: Knowledge,
        publisher: Publisher,
        models: Models,
        *,
        owns: Callable[[str], bool] = _all,
        took: Callable[[Sequence[Quote]], None] = _nothing,
        announced: Announced | None = None,
    ) -> None:
        self._service = service
        self._knowledge = knowledge
        self._publisher = publisher
        self._models = models
        self._owns = owns
        self._took = took
        self._announced = announced or Announced()
        self._market_ticker = service.settings.model.market_ticker
        self._waves = Waves(self._market_ticker)
        self._forecaster: Forecaster | None = None
        self._turns = Turns()

    async def on_quotes(self, batch: Sequence[Envelope[Quote]]) -> None:
        """Predict every ticker of a batch from its latest quote."""
        waves = self._waves.split([envelope.payload for envelope in batch])
        QUOTES_COALESCED.inc(len(batch) - sum(map(len, waves)))
        publishing = Overlap()
        try:
            for wave in waves:
                for start in range(0, len(wave), LARGEST_WAVE):
                    async with self._turns.wave():
                        await self._predict(wave[start : start + LARGEST_WAVE], publishing)
        finally:
            await publishing.finish()

    async def _predict(self, wave: Sequence[Quote], publishing: Overlap) -> None:
        """Predict a wave, and begin to publish it when the one before is published."""
        forecaster = await self._ready_for(wave)
        unknown = [quote for quote in wave if not forecaster.knows(quote)]
        if unknown:
            await self._publisher.unknown(unknown)
        # Again, for the state may have been built since the batch was split.
        known = [quote for quote in wave if forecaster.knows(quote) and not self._waves.outdated(quote)]
        if known:
            self._take(forecaster, known)
            results = forecaster.forecast(known, self._service.clock.now())
            # Every partition hears the market; one tells the cache.
            told = known if self._owns(self._market_ticker) else [q for q in known if q.ticker != self._market_ticker]
            await publishing.finish()
            publishing.begin(self._publisher.publish(results, told))

    async def on_jobs(self, batch: Sequence[Envelope[PredictJob]], model_type: ModelType) -> None:
        """Answer requests for a prediction from the latest quote, with the model that the subject names."""
        async with self._turns.job():
            jobs = [envelope.payload for envelope in batch]
            latest = {ticker: await self._latest(ticker) for ticker in dict.fromkeys(job.ticker for job in jobs)}
            results = await self._forecast_latest([quote for quote in latest.values() if quote], model_type)
            answers = (self._answer(job, latest[job.ticker], results.get(job.ticker)) for job in jobs)
            await asyncio.gather(*answers)

    async def _forecast_latest(self, quotes: Sequence[Quote], model_type: ModelType) -> dict[str, Forecast | Failure]:
        """Predict from quotes of one feed and session each, the state's where there is one; others are left out."""
        if not quotes:
            return {}
        newest = max(quotes, key=lambda quote: quote.received_at)
        current = (self._waves.feed, self._waves.day) if self._forecaster else (newest.feed, newest.session_date)
        wave = [quote for quote in quotes if (quote.feed, quote.session_date) == current]
        if not wave:
            return {}
        forecaster = await self._ready_for(wave)
        strange = [quote for quote in wave if not forecaster.predicts(quote)]
        wanted = [quote for quote in wave if forecaster.predicts(quote)]
        results: list[Forecast | Failure] = [
            Failure(quote, Status.UNKNOWN_TICKER, f"{quote.ticker} is not predicted") for quote in strange
        ]
        if wanted:
            self._take(forecaster, wanted)
            results += forecaster.forecast(wanted, self._service.clock.now(), model_type)
        return {result.quote.ticker: result for result in results}

    async def _answer(self, job: PredictJob, quote: Quote | None, result: Forecast | Failure | None) -> None:
        if quote is None:
            await self._publisher.no_quote(job, f"no quote of {job.ticker} has come yet")
        elif result is None:
            await self._publisher.no_quote(job, f"no quote of {job.ticker} since {quote.session_date}")
        else:
            await self._publisher.answer(job, result)

    def _take(self, forecaster: Forecaster, quotes: Sequence[Quote]) -> None:
        forecaster.take(quotes)
        self._waves.took(quotes)
        self._took(quotes)

    async def _latest(self, ticker: str) -> Quote | None:
        quote = self._waves.latest.get(ticker) or await self._publisher.cached_quote(ticker)
        return quote or await asyncio.to_thread(self._knowledge.latest_quote, ticker)

    async def _ready_for(self, wave: Sequence[Quote]) -> Forecaster:
        """A forecaster whose state ends where these quotes begin; from the database where it does not already."""
        day, feed = wave[0].session_date, wave[0].feed
        forecaster = self._forecaster
        unknown = {quote.ticker for quote in wave if forecaster is None or not forecaster.knows(quote)}
        if (
            forecaster is None
            or self._waves.must_rebuild(feed, day, unknown)
            or (day != self._waves.day and await self._outdated(forecaster))
        ):
            forecaster = await asyncio.to_thread(self._knowledge.forecaster, day, feed, self._owns)
            forecaster.predictors = self._models.predictors
            forecaster.stale_after_seconds = self._service.settings.feed.stale_after_seconds
            forecaster.announced = self._announced
            STATE_REBUILDS.inc()
            self._waves.rebuilt(feed, [quote.ticker for quote in wave if not forecaster.knows(quote)])
            await self._resume(forecaster, wave)
            self._forecaster = forecaster
        self._waves.advanced(day, forecaster.following(day))
        return forecaster

    async def _outdated(self, forecaster: Forecaster) -> bool:
        """Whether bars were stored since the state was built. Without the database: no, the state goes on."""
        try:
            return await asyncio.to_thread(self._knowledge.newest_recording) != forecaster.bars_as_of
        except RetryableError as error:
            _log.warning("the session begins with the bars as they were known before", cause=str(error))
            return False

    async def _resume(self, forecaster: Forecaster, wave: Sequence[Quote]) -> None:
        """Take the session's quotes that came before this wave, the market's above all."""
        feed, day, until = wave[0].feed, wave[0].session_date, min(quote.received_at for quote in wave)
        tickers = forecaster.state.tickers
        stored = await asyncio.to_thread(self._knowledge.session_quotes, feed, day, tickers, until)
        cached = await self._publisher.cached_quotes(tickers)
        before = (*self._waves.latest.values(), *(quote for quote in (*stored, *cached) if quote.received_at <= until))
        earlier = [
            quote for quote in before if forecaster.knows(quote) and (quote.feed, quote.session_date) == (feed, day)
        ]
        for taken in self._waves.split(earlier):
            self._take(forecaster, taken)


async def main(service: Service) -> None:
    """Predict until asked to stop; alone, or with others that share the work."""
    settings = service.settings
    # Each partition may read its state while the models, the calendar and the job of another are read.
    connections = max(settings.database.pool_size, settings.predict.parts + 3)
    engine = make_service_engine(settings.database.url, connections)
    cache = Cache.connect(settings.redis)
    knowledge, publisher = Knowledge(engine, settings.model), Publisher(service, cache)
    models = Models(service, knowledge, publisher)

    async def prepare() -> None:
        await service.until_done("durables", lambda: take_over(service.bus, settings.predict.parts))

    async def work(unit: Unit, ending: asyncio.Event) -> None:
        # A state for each unit: it is built when the unit is taken, and none runs ahead of another's market.
        predict = Predict(
            service, knowledge, publisher, models, owns=unit.owns, took=silence.took, announced=silence.announced
        )
        await service.consume(*consumptions(unit, predict), ending=ending)

    members = Members(service.bus, service.clock, settings.predict.parts, time.monotonic)
    ownership = Ownership(members, service.health, service.stopping, prepare, work)
    silence = Silence(
        settings.feed,
        Announced(),
        service.clock,
        time.monotonic,
        slots=lambda: ownership.slots,
        market_ticker=settings.model.market_ticker,
    )
    telling = Telling(service, silence, cache, engine, time.monotonic)
    try:
        await service.until_done("database", models.load)
        await service.until_done("announcements", telling.begin)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(models.watch())
            group.create_task(telling.run())
            await ownership.run()
            watching.cancel()
    finally:
        await cache.close()
        engine.dispose()


if __name__ == "__main__":
    run(NAME, main)
