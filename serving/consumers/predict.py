"""predict: quotes and jobs become predictions. `python -m serving.consumers.predict`."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import ModelType, PredictJob, Quote
from riskee.messaging.statuses import Status
from riskee.storage.cache import Cache
from riskee.storage.database import close_engine, make_service_engine
from riskee.storage.unrecorded import Unrecorded
from riskee.telemetry import QUOTES_COALESCED
from riskee.tracing.hops import PREDICT_WAVE
from serving.consumers.announced import Announced
from serving.consumers.cache_watch import watch_cache
from serving.consumers.forecasting import Failure, Forecast, asked
from serving.consumers.knowledge import Knowledge
from serving.consumers.market_state import MarketState
from serving.consumers.members import Members
from serving.consumers.models import Models
from serving.consumers.ownership import Ownership
from serving.consumers.partitions import Unit
from serving.consumers.plan import Plan
from serving.consumers.portion import EVERYTHING, Portion
from serving.consumers.publishing import Publisher
from serving.consumers.service import Service, run
from serving.consumers.silence import Silence
from serving.consumers.telling import Telling
from serving.consumers.turns import Turns
from serving.consumers.workload import consumptions, quotes_of, take_over

NAME = "predict"
# A job waits for one wave at most, and while a wave is published the next is computed.
LARGEST_WAVE = 512


def _nothing(_quotes: Sequence[Quote]) -> None:
    pass


class Predict:
    """The handlers of predict, which may be called side by side: they take turns, jobs before quotes.

    The quotes of its portion come here, and the market's; `took` hears which quotes the state has taken.
    """

    def __init__(
        self,
        service: Service,
        knowledge: Knowledge,
        publisher: Publisher,
        models: Models,
        *,
        portion: Portion = EVERYTHING,
        took: Callable[[Sequence[Quote]], None] = _nothing,
        announced: Announced | None = None,
    ) -> None:
        self._service = service
        self._knowledge = knowledge
        self._publisher = publisher
        self._owns = portion.owns
        self._market_ticker = service.settings.model.market_ticker
        self._state = MarketState(
            service.settings, knowledge, publisher, models, portion, took, announced or Announced()
        )
        self._waves = self._state.waves
        self._plan: Plan | None = None
        self._turns = Turns()

    async def on_quotes(self, batch: Sequence[Envelope[Quote]]) -> None:
        """Predict every ticker of a batch from its latest quote.

        Given the same batch again, it goes on where it failed; given one with more in it, it predicts anew what was not
        published.
        """
        plan = self._plan_of([envelope.payload for envelope in batch])
        try:
            await plan.publishing.finish()
            while plan.waves:
                async with self._turns.wave():
                    await self._predict_next(plan)
            await plan.publishing.finish()
        finally:
            await plan.publishing.rest()
        self._plan = None

    def _plan_of(self, quotes: Sequence[Quote]) -> Plan:
        if self._plan is None or self._plan.batch != quotes:
            waves = self._waves.split(quotes)
            parts = (
                wave[start : start + LARGEST_WAVE] for wave in waves for start in range(0, len(wave), LARGEST_WAVE)
            )
            self._plan = Plan(quotes, deque(parts))
            QUOTES_COALESCED.inc(self._predictable(quotes) - sum(map(self._predictable, waves)))
        return self._plan

    def _predictable(self, quotes: Sequence[Quote]) -> int:
        return sum(quote.ticker != self._market_ticker for quote in quotes)

    async def _predict_next(self, plan: Plan) -> None:
        """Predict a wave, and begin to publish it when the one before is published."""
        # Again, for the session may have changed since the batch was split.
        wave = [quote for quote in plan.waves[0] if not self._waves.outdated(quote)]
        before = self._state.forecaster
        forecaster = await self._state.ready_for(wave) if wave else None
        known = [quote for quote in wave if forecaster and forecaster.knows(quote)]
        if forecaster and len(known) < len(wave):
            await self._publisher.unknown([quote for quote in wave if not forecaster.knows(quote)])
        if forecaster is not before:
            # The state was built anew, from quotes that may be later.
            known = [quote for quote in known if not self._waves.outdated(quote)]
        # From here to what is kept for publication, nothing waits.
        plan.waves.popleft()
        if forecaster and known:
            # Every partition hears the market; one tells the cache, and the trace.
            told = known if self._owns(self._market_ticker) else [q for q in known if q.ticker != self._market_ticker]
            with self._service.tracer.hop(PREDICT_WAVE, told):
                self._state.take(forecaster, known)
                results = forecaster.forecast(known, self._service.clock.now())
            await plan.publishing.begin(partial(self._publisher.publish, results, told))

    async def on_jobs(self, batch: Sequence[Envelope[PredictJob]], model_type: ModelType) -> None:
        """Answer requests for a prediction from the latest quote, with the model that the subject names."""
        jobs = [envelope.payload for envelope in batch]
        tickers = list(dict.fromkeys(job.ticker for job in jobs))
        # Before the turn is taken: quotes must not wait for a server's answer.
        latest = await self._read_latest([ticker for ticker in tickers if ticker not in self._waves.latest])
        async with self._turns.job():
            latest |= {ticker: self._waves.latest[ticker] for ticker in tickers if ticker in self._waves.latest}
            results = await self._forecast_latest(list(latest.values()), model_type)
        await self._publisher.answer([(job, _answer(job, results, latest)) for job in jobs])

    async def _forecast_latest(self, quotes: Sequence[Quote], model_type: ModelType) -> dict[str, Forecast | Failure]:
        """Predict from quotes of one feed and session each, the state's where there is one; others are left out."""
        if not quotes:
            return {}
        newest = max(quotes, key=lambda quote: quote.received_at)
        current = (self._waves.feed, self._waves.day) if self._state.forecaster else (newest.feed, newest.session_date)
        wave = [quote for quote in quotes if (quote.feed, quote.session_date) == current]
        if not wave:
            return {}
        forecaster = await self._state.ready_for(wave, resuming=True)
        # A state that was built anew may have later ones.
        wave = [self._waves.latest[quote.ticker] if self._waves.outdated(quote) else quote for quote in wave]
        strange = [quote for quote in wave if not forecaster.predicts(quote)]
        wanted = [quote for quote in wave if forecaster.predicts(quote)]
        results: list[Forecast | Failure] = [
            Failure(quote, Status.UNKNOWN_TICKER, f"{quote.ticker} is not predicted") for quote in strange
        ]
        if wanted:
            self._state.take(forecaster, wanted)
            results += forecaster.forecast(wanted, self._service.clock.now(), model_type)
        return {result.quote.ticker: result for result in results}

    async def _read_latest(self, tickers: Sequence[str]) -> dict[str, Quote]:
        if not tickers:
            return {}
        latest = {quote.ticker: quote for quote in await self._publisher.cached_quotes(tickers)}
        missing = [ticker for ticker in tickers if ticker not in latest]
        stored = await asyncio.to_thread(self._knowledge.latest_quotes, missing) if missing else []
        return latest | {quote.ticker: quote for quote in stored}


def _answer(
    job: PredictJob, results: Mapping[str, Forecast | Failure], latest: Mapping[str, Quote]
) -> Forecast | Failure | str:
    found = results.get(job.ticker)
    if isinstance(found, Forecast):
        return asked(found, job.job_id)
    return found or _why_not(job, latest.get(job.ticker))


def _why_not(job: PredictJob, quote: Quote | None) -> str:
    """Why there is no prediction to answer a job with."""
    if quote is None:
        return f"no quote of {job.ticker} has come yet"
    return f"no quote of {job.ticker} since {quote.session_date}"


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
            service,
            knowledge,
            publisher,
            models,
            portion=Portion(unit.owns, Unrecorded(service.bus, quotes_of(unit).name).read),
            took=silence.took,
            announced=silence.announced,
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
            group.create_task(telling.run())
            watching = [
                group.create_task(models.watch()),
                group.create_task(watch_cache(cache, service.health, service.stopping)),
            ]
            await ownership.run()
            for task in watching:
                task.cancel()
    finally:
        await cache.close()
        close_engine(engine)


if __name__ == "__main__":
    run(NAME, main)
