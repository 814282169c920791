"""explain: requests become explanations. `python -m serving.consumers.explain`."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from riskee.breaker import Breaker
from riskee.embedding import make_embedder
from riskee.errors import RetryableError
from riskee.explanation.explainer import Explainer
from riskee.explanation.retrieval import Retrieval
from riskee.explanation.writer import Writer
from riskee.ids import answer_id
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.explanations import ExplainRequest, Explanation
from riskee.messaging.messages import Prediction
from riskee.messaging.subjects import EXPLAIN, EXPLAINED
from riskee.storage import keys
from riskee.storage.bus import codec_of
from riskee.storage.cache import Cache, decoded
from riskee.storage.database import make_service_engine
from riskee.storage.entries import Entry
from riskee.storage.inbox import Durable
from riskee.storage.llm import Llm
from riskee.storage.vectors import Vectors
from riskee.telemetry import CACHE_WRITE_ERRORS, EXPLANATION_SECONDS, EXPLANATIONS
from serving.consumers.attributions import Attributions
from serving.consumers.knowledge import Knowledge
from serving.consumers.loop import Consumption
from serving.consumers.service import Service, run

NAME = "explain"

_log = get_logger(__name__)


@dataclass(frozen=True)
class Explain:
    """The handler of explain. What is cached is answered at once; what has waited too long gets the template."""

    service: Service
    cache: Cache
    attributions: Attributions
    explainer: Explainer
    answer_within_seconds: float

    async def on_requests(self, batch: Sequence[Envelope[ExplainRequest]]) -> None:
        """Explain the predictions of a batch side by side."""
        # All are finished before the first failure is raised as it is: a task group would wrap it, and the loop would
        # no longer see whether it can be tried again.
        for outcome in await asyncio.gather(*map(self._answer, batch), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _answer(self, envelope: Envelope[ExplainRequest]) -> None:
        request = envelope.payload
        explanation = await self._cached(request.prediction) or await self._explain(request)
        answer = wrap(
            explanation,
            message_id=answer_id(explanation.explanation_id, envelope.message_id),
            correlation_id=envelope.correlation_id,
            source=NAME,
            at=self.service.clock.now(),
        )
        await self.service.bus.publish(EXPLAINED, answer)

    async def _explain(self, request: ExplainRequest) -> Explanation:
        prediction = request.prediction
        waited = (self.service.clock.now() - request.requested_at).total_seconds()
        began = time.monotonic()
        drivers = await self.attributions.of(prediction)
        spent = waited + time.monotonic() - began
        explanation = await self.explainer.explain(prediction, drivers, self.answer_within_seconds - spent)
        await self._keep(prediction, explanation)
        EXPLANATIONS.labels(explanation.generator).inc()
        EXPLANATION_SECONDS.labels(explanation.generator).observe(explanation.seconds)
        _log.info("explained", ticker=prediction.ticker, generator=explanation.generator, seconds=explanation.seconds)
        return explanation

    async def _cached(self, prediction: Prediction) -> Explanation | None:
        try:
            body = await self.cache.body(keys.EXPLANATION, ticker=prediction.ticker, ts=prediction.prediction_time)
        except RetryableError as error:
            self.service.health.down("redis", str(error))
            return None
        explanation = decoded(body, Explanation)
        # One quote may have a prediction of each model type.
        return explanation if explanation and explanation.prediction_id == prediction.prediction_id else None

    async def _keep(self, prediction: Prediction, explanation: Explanation) -> None:
        entry = Entry.of(
            keys.EXPLANATION,
            {"ticker": prediction.ticker, "ts": prediction.prediction_time},
            {keys.BODY: msgspec.json.encode(explanation), "generator": explanation.generator},
        )
        try:
            await self.cache.write([entry])
        except RetryableError as error:
            CACHE_WRITE_ERRORS.inc()
            self.service.health.down("redis", str(error))
        else:
            self.service.health.up("redis")


async def main(service: Service) -> None:
    """Explain until asked to stop."""
    settings = service.settings
    engine = make_service_engine(settings.database.url, settings.database.pool_size)
    cache, vectors, llm = Cache.connect(settings.redis), Vectors(settings.vectors), Llm(settings.llm)
    embedder = await service.until_done(
        "embedder", lambda: asyncio.to_thread(make_embedder, settings.embedding, settings.home)
    )
    attributions = Attributions(cache, Knowledge(engine, settings.model), settings.model, settings.explanation.drivers)
    explainer = Explainer(
        Retrieval(embedder, vectors, settings.explanation.documents),
        Writer(llm, embedder, Breaker(time.monotonic), time.monotonic),
        service.clock,
        time.monotonic,
    )
    warming = asyncio.create_task(explainer.writer.warm_up())
    handler = Explain(service, cache, attributions, explainer, settings.explanation.answer_within_seconds)
    try:
        await service.consume(
            Consumption(
                # Few, so that a stopped service leaves hardly any request to wait for its next delivery.
                Durable("explain", EXPLAIN.name, max_pending=2 * settings.llm.concurrency),
                codec_of(EXPLAIN),
                handler.on_requests,
                max_batch=settings.llm.concurrency,
            )
        )
    finally:
        warming.cancel()
        vectors.close()
        await llm.close()
        await cache.close()
        engine.dispose()


if __name__ == "__main__":
    run(NAME, main)
