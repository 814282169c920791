"""Where a prediction goes: the cache, in one pipeline, and the bus."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from riskee.errors import RetryableError
from riskee.ids import answer_id, failure_id
from riskee.messaging.envelope import seal, wrap
from riskee.messaging.messages import Prediction, PredictionFailed, PredictJob, Quote
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import PREDICTION_FAILED, PREDICTION_UPDATED, QUOTE
from riskee.model.predictor import Predictor
from riskee.storage import keys
from riskee.storage.bus import Outgoing, codec_of
from riskee.storage.cache import Cache, decoded
from riskee.storage.entries import Entry, count_of
from riskee.telemetry import (
    CACHE_WRITE_ERRORS,
    PREDICTION_CONFIDENCE,
    PREDICTIONS,
    PREDICTIONS_BY_INITIAL,
    PREDICTIONS_FAILED,
    PREDICTIONS_FLAGGED,
    TICK_SECONDS,
)
from riskee.tracing.hops import CACHE_WRITE, EVENT_PUBLISH
from serving.consumers.cached import forecast_entry, model_entry, place_of, quote_entry
from serving.consumers.dead_letters import dead_letter
from serving.consumers.forecasting import Failure, Forecast
from serving.consumers.service import Service

_encode = msgspec.json.Encoder().encode


class Publisher:
    """Publishes the results of a wave.

    The cache may be away: the prediction still goes out on the bus. The bus may not: then RetryableError.
    """

    def __init__(self, service: Service, cache: Cache) -> None:
        self._service = service
        self._cache = cache

    async def publish(self, results: Sequence[Forecast | Failure], quotes: Sequence[Quote]) -> None:
        """Write quotes, predictions and features to the cache, and tell the bus meanwhile."""
        forecasts = [result for result in results if isinstance(result, Forecast)]
        failures = [result for result in results if isinstance(result, Failure)]
        bodies = [_encode(forecast.prediction) for forecast in forecasts]
        predictions = [forecast.prediction for forecast in forecasts]
        writing = asyncio.create_task(self._write(_entries(quotes, forecasts, bodies), predictions))
        try:
            with self._service.tracer.hop(EVENT_PUBLISH, predictions):
                updates = self._updates(predictions, bodies)
                await self._service.bus.publish_encoded([*updates, *map(self._failed, failures)])
        finally:
            await writing
        self._count(forecasts, failures)

    async def answer(self, answers: Sequence[tuple[PredictJob, Forecast | Failure | str]]) -> None:
        """Publish the results of jobs, or a text that says why a job has none; their correlation ids are the jobs'."""
        entries: list[Entry] = []
        messages: list[Outgoing] = []
        for job, result in answers:
            if isinstance(result, Forecast):
                body, message_id = _encode(result.prediction), answer_id(result.prediction.prediction_id, job.job_id)
                entries.append(forecast_entry(result.prediction, body, result.features, place_of(result.quote)))
                data = self._sealed(result.prediction, body, message_id, job.job_id)
                messages.append(Outgoing(PREDICTION_UPDATED.name, str(message_id), data))
            elif isinstance(result, Failure):
                messages.append(self._refused(job, result.status, result.reason, result.quote))
            else:
                messages.append(self._refused(job, Status.NO_QUOTE, result, None))
        await self._write(entries)
        await self._service.bus.publish_encoded(messages)

    async def unknown(self, quotes: Sequence[Quote]) -> None:
        """Dead-letter quotes of tickers that even the database does not know."""
        clock, source = self._service.clock, self._service.name
        reason = "unknown_ticker: the ticker has no history — import it: `riskee data import`"
        letters = [dead_letter(QUOTE.name, reason, msgspec.json.encode(quote), source, clock) for quote in quotes]
        await self._service.bus.publish_encoded(letters)

    async def show_models(self, predictors: Iterable[Predictor]) -> None:
        """Write what serves to `model:{type}:active`."""
        await self._write([model_entry(predictor) for predictor in predictors])

    async def cached_quotes(self, tickers: Sequence[str]) -> list[Quote]:
        """The latest quotes that the cache has; none while it is away."""
        try:
            bodies = await self._cache.bodies(keys.QUOTE, [{"ticker": ticker} for ticker in tickers])
        except RetryableError as error:
            self._service.health.down("redis", str(error))
            return []
        quotes = (decoded(body, Quote) for body in bodies)
        return [quote for quote in quotes if quote is not None]

    async def _write(self, entries: Sequence[Entry], predictions: Sequence[Prediction] = ()) -> None:
        if not entries:
            return
        try:
            with self._service.tracer.hop(CACHE_WRITE, predictions):
                await self._cache.write(entries)
        except RetryableError as error:
            CACHE_WRITE_ERRORS.inc(count_of(entries))
            self._service.health.down("redis", str(error))
        else:
            self._service.health.up("redis")

    def _count(self, forecasts: Sequence[Forecast], failures: Sequence[Failure]) -> None:
        # By wave, not by prediction: a metric costs a microsecond.
        for model_type, count in Counter(forecast.prediction.model_type for forecast in forecasts).items():
            PREDICTIONS.labels(model_type).inc(count)
        PREDICTIONS_BY_INITIAL.count(forecast.prediction.ticker[0] for forecast in forecasts)
        PREDICTIONS_FLAGGED.count(chain.from_iterable(forecast.prediction.flags for forecast in forecasts))
        PREDICTION_CONFIDENCE.observe(forecast.prediction.confidence for forecast in forecasts)
        for status, count in Counter(failure.status for failure in failures).items():
            PREDICTIONS_FAILED.labels(status).inc(count)
        if forecasts:
            oldest = min(forecast.quote.received_at for forecast in forecasts)
            TICK_SECONDS.observe((self._service.clock.now() - oldest).total_seconds())

    def _updates(self, predictions: Sequence[Prediction], bodies: Sequence[bytes]) -> list[Outgoing]:
        # All at once: a tenth of what str() of each takes.
        ids: list[str] = msgspec.to_builtins([prediction.prediction_id for prediction in predictions])
        return [
            Outgoing(
                PREDICTION_UPDATED.name,
                identity,
                self._sealed(prediction, body, prediction.prediction_id, prediction.quote_id),
            )
            for prediction, body, identity in zip(predictions, bodies, ids, strict=True)
        ]

    def _sealed(self, prediction: Prediction, body: bytes, message_id: uuid.UUID, correlation: uuid.UUID) -> bytes:
        return seal(
            body, message_id=message_id, correlation_id=correlation, source=self._service.name, at=prediction.as_of
        )

    def _failed(self, failure: Failure) -> Outgoing:
        quote = failure.quote
        return self._failure(
            failure_id(quote.quote_id, quote.ticker, failure.status),
            quote.quote_id,
            PredictionFailed(
                ticker=quote.ticker,
                feed=quote.feed,
                data_time=quote.data_time,
                status=failure.status,
                reason=failure.reason,
            ),
        )

    def _refused(self, job: PredictJob, status: Status, reason: str, quote: Quote | None) -> Outgoing:
        PREDICTIONS_FAILED.labels(status).inc()
        payload = PredictionFailed(
            ticker=job.ticker,
            feed=quote.feed if quote else "",
            data_time=quote.data_time if quote else job.requested_at,
            status=status,
            reason=reason,
        )
        return self._failure(failure_id(job.job_id, job.ticker, status), job.job_id, payload)

    def _failure(self, message_id: uuid.UUID, correlation: uuid.UUID, payload: PredictionFailed) -> Outgoing:
        envelope = wrap(
            payload,
            message_id=message_id,
            correlation_id=correlation,
            source=self._service.name,
            at=self._service.clock.now(),
        )
        return Outgoing(PREDICTION_FAILED.name, str(message_id), codec_of(PREDICTION_FAILED).encode(envelope))


def _entries(quotes: Sequence[Quote], forecasts: Sequence[Forecast], bodies: Sequence[bytes]) -> list[Entry]:
    """What the cache shows of a wave, which has each ticker once."""
    places = {quote.ticker: place_of(quote) for quote in quotes}
    entries = [quote_entry(quote, places[quote.ticker]) for quote in quotes]
    for forecast, body in zip(forecasts, bodies, strict=True):
        place = places.get(forecast.quote.ticker) or place_of(forecast.quote)
        entries.append(forecast_entry(forecast.prediction, body, forecast.features, place))
    return entries
