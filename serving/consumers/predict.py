"""predict: quotes and jobs become predictions. `python -m serving.consumers.predict`."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from riskee.errors import PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import MODEL_TYPES, ModelPromoted, ModelType, PredictJob, Quote
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import MODEL_PROMOTED, PREDICT_EARNINGS, PREDICT_NORMAL, QUOTE
from riskee.model.predictor import Predictor
from riskee.storage.bus import codec_of
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.inbox import Durable
from riskee.telemetry import STATE_REBUILDS
from serving.consumers.forecasting import Failure, Forecaster
from serving.consumers.knowledge import Knowledge
from serving.consumers.loop import Consumption
from serving.consumers.publishing import Publisher
from serving.consumers.service import Service, run
from serving.consumers.waves import Waves
from serving.patience import StoppedError, pause

NAME = "predict"
# A promotion is announced; looking as well costs little and survives a lost announcement.
_MODEL_CHECK_SECONDS = 15.0

_log = get_logger(__name__)


class Predict:
    """The handlers of predict. One wave is under way at a time; models change between waves."""

    def __init__(self, service: Service, knowledge: Knowledge, publisher: Publisher) -> None:
        self._service = service
        self._knowledge = knowledge
        self._publisher = publisher
        self._waves = Waves(service.settings.model.market_ticker)
        self._forecaster: Forecaster | None = None
        self._predictors: dict[ModelType, Predictor] = {}
        self._lock = asyncio.Lock()

    async def on_quotes(self, batch: Sequence[Envelope[Quote]]) -> None:
        """Predict every ticker of a batch from its latest quote."""
        async with self._lock:
            for wave in self._waves.split([envelope.payload for envelope in batch]):
                forecaster = await self._ready_for(wave)
                known = [quote for quote in wave if forecaster.knows(quote)]
                await self._publisher.unknown([quote for quote in wave if not forecaster.knows(quote)])
                if known:
                    self._take(forecaster, known)
                    await self._publisher.publish(forecaster.forecast(known, self._service.clock.now()), known)

    async def on_jobs(self, batch: Sequence[Envelope[PredictJob]], model_type: ModelType) -> None:
        """Answer requests for a prediction from the latest quote, with the model that the subject names."""
        async with self._lock:
            for envelope in batch:
                await self._answer(envelope.payload, model_type)

    async def _answer(self, job: PredictJob, model_type: ModelType) -> None:
        quote = await self._latest(job.ticker)
        if quote is None:
            await self._publisher.no_quote(job, f"no quote of {job.ticker} has come yet")
            return
        if self._forecaster is not None and (quote.feed, quote.session_date) != (self._waves.feed, self._waves.day):
            await self._publisher.no_quote(job, f"no quote of {job.ticker} since {quote.session_date}")
            return
        forecaster = await self._ready_for([quote])
        if not forecaster.predicts(quote):
            failure = Failure(quote, Status.UNKNOWN_TICKER, f"{quote.ticker} is not predicted")
            await self._publisher.answer(job, failure)
            return
        self._take(forecaster, [quote])
        (result,) = forecaster.forecast([quote], self._service.clock.now(), model_type)
        await self._publisher.answer(job, result)

    def _take(self, forecaster: Forecaster, quotes: Sequence[Quote]) -> None:
        forecaster.take(quotes)
        self._waves.took(quotes)

    async def on_promoted(self, batch: Sequence[Envelope[ModelPromoted]]) -> None:
        """Load the champions after a promotion."""
        _log.info("promoted", models=[envelope.payload.model_version for envelope in batch])
        await self.load_models()

    async def load_models(self) -> None:
        """Bring the predictors to the registry's champions. One that cannot be loaded leaves the last one serving."""
        for model_type in MODEL_TYPES:
            try:
                trouble = await self._load_model(model_type)
            except PoisonError as error:
                trouble = str(error)
            if trouble:
                self._service.health.down(f"model-{model_type}", trouble)
            else:
                self._service.health.up(f"model-{model_type}")
        await self._publisher.show_models(self._predictors.values())

    async def _load_model(self, model_type: ModelType) -> str:
        """Load the champion if it is another than the one that serves. Answers the trouble, if any."""
        artifact = await asyncio.to_thread(self._knowledge.champion, model_type)
        current = self._predictors.get(model_type)
        if artifact is None:
            return "" if current else "no champion yet: train a model"
        if current is None or current.version != artifact.version:
            predictor = await asyncio.to_thread(Predictor, artifact, self._service.settings.model.threads)
            async with self._lock:
                self._predictors[model_type] = predictor
            _log.info("model loaded", model_type=model_type, version=predictor.version)
        return ""

    async def watch_models(self) -> None:
        """Look for new champions until asked to stop."""
        while not self._service.stopping.is_set():
            await pause(_MODEL_CHECK_SECONDS, self._service.stopping)
            with suppress(StoppedError):
                await self._service.until_done("database", self.load_models)

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
            forecaster = await asyncio.to_thread(self._knowledge.forecaster, day)
            forecaster.predictors = self._predictors
            forecaster.stale_after_seconds = self._service.settings.feed.stale_after_seconds
            STATE_REBUILDS.inc()
            self._waves.rebuilt(feed, [quote.ticker for quote in wave if not forecaster.knows(quote)])
            await self._resume(forecaster, wave[0])
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

    async def _resume(self, forecaster: Forecaster, first: Quote) -> None:
        """Take the session's quotes that came before this process, the market's above all; none later than `first`."""
        stored = await asyncio.to_thread(self._knowledge.latest_quotes, first.data_time)
        cached = await self._publisher.cached_quotes(forecaster.state.tickers)
        earlier = [
            quote
            for quote in (*stored, *cached)
            if forecaster.knows(quote)
            and (quote.feed, quote.session_date) == (first.feed, first.session_date)
            and quote.data_time <= first.data_time
        ]
        for wave in self._waves.split(earlier):
            self._take(forecaster, wave)


async def main(service: Service) -> None:
    """Predict until asked to stop."""
    settings = service.settings
    engine = make_engine(settings.database.url, settings.database.pool_size)
    cache = Cache.connect(settings.redis)
    predict = Predict(service, Knowledge(engine, settings.model), Publisher(service, cache))

    async def on_normal(batch: Sequence[Envelope[PredictJob]]) -> None:
        await predict.on_jobs(batch, "normal")

    async def on_earnings(batch: Sequence[Envelope[PredictJob]]) -> None:
        await predict.on_jobs(batch, "earnings")

    try:
        await service.until_done("database", predict.load_models)
        async with asyncio.TaskGroup() as group:
            group.create_task(predict.watch_models())
            await service.consume(
                Consumption(Durable("predict-quotes", QUOTE.name), codec_of(QUOTE), predict.on_quotes),
                Consumption(Durable("predict-normal", PREDICT_NORMAL.name), codec_of(PREDICT_NORMAL), on_normal),
                Consumption(
                    Durable("predict-earnings", PREDICT_EARNINGS.name), codec_of(PREDICT_EARNINGS), on_earnings
                ),
                Consumption(
                    Durable("predict-models", MODEL_PROMOTED.name), codec_of(MODEL_PROMOTED), predict.on_promoted
                ),
            )
    finally:
        await cache.close()
        engine.dispose()


if __name__ == "__main__":
    run(NAME, main)
