"""Where a prediction goes: the cache, in one pipeline, and the bus."""

from collections.abc import Iterable, Sequence

import msgspec

from riskee.errors import RetryableError
from riskee.ids import answer_id, failure_id
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import Prediction, PredictionFailed, PredictJob, Quote
from riskee.messaging.statuses import Status, gravest
from riskee.messaging.subjects import PREDICTION_FAILED, PREDICTION_UPDATED, QUOTE
from riskee.model.predictor import Predictor
from riskee.storage import keys
from riskee.storage.cache import Cache, Entry, Value
from riskee.telemetry import CACHE_WRITE_ERRORS, PREDICTIONS, PREDICTIONS_FAILED, TICK_SECONDS
from serving.consumers.forecasting import Failure, Forecast
from serving.consumers.loop import dead_letter
from serving.consumers.service import Service

_log = get_logger(__name__)


class Publisher:
    """Publishes the results of a wave.

    The cache may be away: the prediction still goes out on the bus. The bus may not: then RetryableError.
    """

    def __init__(self, service: Service, cache: Cache) -> None:
        self._service = service
        self._cache = cache

    async def publish(self, results: Sequence[Forecast | Failure], quotes: Sequence[Quote]) -> None:
        """Write quotes, predictions and features to the cache, then tell the bus."""
        forecasts = [result for result in results if isinstance(result, Forecast)]
        failures = [result for result in results if isinstance(result, Failure)]
        await self._write([*map(_quote_entry, quotes), *_forecast_entries(forecasts)])
        await self._service.bus.publish(PREDICTION_UPDATED, *map(self._updated, forecasts))
        await self._service.bus.publish(PREDICTION_FAILED, *map(self._failed, failures))
        now = self._service.clock.now()
        for forecast in forecasts:
            PREDICTIONS.labels(forecast.prediction.model_type).inc()
            TICK_SECONDS.observe((now - forecast.quote.received_at).total_seconds())
        for failure in failures:
            PREDICTIONS_FAILED.labels(failure.status).inc()

    async def answer(self, job: PredictJob, result: Forecast | Failure) -> None:
        """Publish the result of a job; its correlation id is the job's."""
        if isinstance(result, Failure):
            await self._fail(job, result.status, result.reason, result.quote)
            return
        await self._write(_forecast_entries([result]))
        envelope = self._updated(result)
        message_id = answer_id(result.prediction.prediction_id, job.job_id)
        envelope = msgspec.structs.replace(envelope, message_id=message_id, correlation_id=job.job_id)
        await self._service.bus.publish(PREDICTION_UPDATED, envelope)

    async def no_quote(self, job: PredictJob, reason: str) -> None:
        """Tell that a job asks for a ticker of which there is no quote to predict from."""
        await self._fail(job, Status.NO_QUOTE, reason, None)

    async def unknown(self, quotes: Sequence[Quote]) -> None:
        """Dead-letter quotes of tickers that even the database does not know."""
        clock, source = self._service.clock, self._service.name
        reason = "unknown_ticker: the ticker has no history — import it: `riskee data import`"
        letters = [dead_letter(QUOTE.name, reason, msgspec.json.encode(quote), source, clock) for quote in quotes]
        await self._service.bus.publish_encoded(letters)

    async def show_models(self, predictors: Iterable[Predictor]) -> None:
        """Write what serves to `model:{type}:active`."""
        await self._write([_model_entry(predictor) for predictor in predictors])

    async def cached_quote(self, ticker: str) -> Quote | None:
        """The latest quote that the cache has, if any."""
        return next(iter(await self.cached_quotes([ticker])), None)

    async def cached_quotes(self, tickers: Sequence[str]) -> list[Quote]:
        """The latest quotes that the cache has; none while it is away."""
        try:
            bodies = await self._cache.bodies(keys.QUOTE, [{"ticker": ticker} for ticker in tickers])
        except RetryableError as error:
            self._service.health.down("redis", str(error))
            return []
        return [msgspec.json.decode(body, type=Quote) for body in bodies if body is not None]

    async def _write(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        try:
            await self._cache.write(entries)
        except RetryableError as error:
            CACHE_WRITE_ERRORS.inc(len(entries))
            self._service.health.down("redis", str(error))
        else:
            self._service.health.up("redis")

    def _updated(self, forecast: Forecast) -> Envelope[Prediction]:
        prediction = forecast.prediction
        return wrap(
            prediction,
            message_id=prediction.prediction_id,
            correlation_id=prediction.quote_id,
            source=self._service.name,
            at=prediction.as_of,
        )

    def _failed(self, failure: Failure) -> Envelope[PredictionFailed]:
        quote = failure.quote
        return wrap(
            PredictionFailed(
                ticker=quote.ticker,
                feed=quote.feed,
                data_time=quote.data_time,
                status=failure.status,
                reason=failure.reason,
            ),
            message_id=failure_id(quote.quote_id, quote.ticker, failure.status),
            correlation_id=quote.quote_id,
            source=self._service.name,
            at=self._service.clock.now(),
        )

    async def _fail(self, job: PredictJob, status: Status, reason: str, quote: Quote | None) -> None:
        PREDICTIONS_FAILED.labels(status).inc()
        payload = PredictionFailed(
            ticker=job.ticker,
            feed=quote.feed if quote else "",
            data_time=quote.data_time if quote else job.requested_at,
            status=status,
            reason=reason,
        )
        envelope = wrap(
            payload,
            message_id=failure_id(job.job_id, job.ticker, status),
            correlation_id=job.job_id,
            source=self._service.name,
            at=self._service.clock.now(),
        )
        await self._service.bus.publish(PREDICTION_FAILED, envelope)


def _quote_entry(quote: Quote) -> Entry:
    fields: dict[str, Value] = {
        keys.BODY: msgspec.json.encode(quote),
        "price": quote.price,
        "data_time": quote.data_time.isoformat(),
        "feed": quote.feed,
    }
    return Entry(keys.QUOTE, {"ticker": quote.ticker}, fields)


def _forecast_entries(forecasts: Iterable[Forecast]) -> list[Entry]:
    entries = []
    for forecast in forecasts:
        prediction, parts = forecast.prediction, {"ticker": forecast.prediction.ticker}
        data_time = prediction.data_time.isoformat()
        shown: dict[str, Value] = {
            keys.BODY: msgspec.json.encode(prediction),
            "price": prediction.price,
            "expected_return": prediction.expected_return,
            "p_up": prediction.p_up,
            "data_time": data_time,
            "model_version": prediction.model_version,
            "status": gravest(prediction.flags),
        }
        # NaN is null in JSON: a feature whose window is not full.
        features: dict[str, Value] = {keys.BODY: msgspec.json.encode(forecast.features), "data_time": data_time}
        entries += [Entry(keys.PREDICTION, parts, shown), Entry(keys.FEATURES, parts, features)]
    return entries


def _model_entry(predictor: Predictor) -> Entry:
    artifact = predictor.artifact
    shown: dict[str, Value] = {
        "model_version": predictor.version,
        "artifact_sha256": artifact.sha256,
        "feature_set": artifact.feature_set,
        "trained_from": artifact.trained_from.isoformat(),
        "trained_through": artifact.trained_through.isoformat(),
        "valid_until": artifact.valid_until.isoformat(),
    }
    return Entry(keys.ACTIVE_MODEL, {"type": artifact.model_type}, {keys.BODY: msgspec.json.encode(shown), **shown})
