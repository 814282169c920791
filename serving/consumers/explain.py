"""explain: requests become explanations. `python -m serving.consumers.explain`."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from structlog.contextvars import bound_contextvars

from riskee.breaker import Breaker
from riskee.embedding import make_embedder
from riskee.embedding.embedder import Embedder
from riskee.explanation.explainer import Explainer, facts_digest
from riskee.explanation.facts import Facts
from riskee.explanation.gate import Gate, Turn
from riskee.explanation.progress import Progress
from riskee.explanation.retrieval import Retrieval
from riskee.explanation.writer import Writer
from riskee.ids import answer_id
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.explanations import ExplainProgress, ExplainRequest, Explanation
from riskee.messaging.subjects import EXPLAIN, EXPLAINED, EXPLAINING
from riskee.storage.bus import codec_of
from riskee.storage.cache import Cache
from riskee.storage.database import close_engine, make_service_engine
from riskee.storage.inbox import Durable
from riskee.storage.llm import Llm
from riskee.storage.vectors import Vectors
from riskee.telemetry import (
    EXPLANATION_SECONDS,
    EXPLANATIONS,
    EXPLANATIONS_WAITING,
    LLM_TOKENS,
    SENTENCES_DROPPED,
)
from serving.consumers.attributions import Attributions
from serving.consumers.cache_watch import watch_cache
from serving.consumers.consumption import Consumption
from serving.consumers.explained import Kept, Making
from serving.consumers.initiative import Initiative
from serving.consumers.knowledge import Knowledge
from serving.consumers.lookups import Lookups
from serving.consumers.records import Records
from serving.consumers.service import Service, run

NAME = "explain"
# Requests in hand at once: each is a task that mostly waits. The server keeps the others.
_IN_HAND = 64

_log = get_logger(__name__)


@dataclass(frozen=True)
class Explain:
    """The handler of explain. What was made from the same facts is answered at once; what has waited too long gets the
    template."""

    service: Service
    attributions: Attributions
    explainer: Explainer
    kept: Kept
    making: Making = field(default_factory=Making)

    async def on_request(self, batch: Sequence[Envelope[ExplainRequest]]) -> None:
        """Explain a prediction: a batch has one request, others are handled beside it."""
        for envelope in batch:
            with bound_contextvars(correlation_id=str(envelope.correlation_id)):
                await self._answer(envelope)

    async def _answer(self, envelope: Envelope[ExplainRequest]) -> None:
        explanation = await self._explanation(envelope.payload)
        answer = wrap(
            explanation,
            message_id=answer_id(explanation.explanation_id, envelope.message_id),
            correlation_id=envelope.correlation_id,
            source=NAME,
            at=self.service.clock.now(),
        )
        await self.service.bus.publish(EXPLAINED, answer)

    async def _explanation(self, request: ExplainRequest) -> Explanation:
        prediction, began = request.prediction, time.monotonic()
        waited = (self.service.clock.now() - request.requested_at).total_seconds()
        progress = self._progress(request)
        await progress.at("facts")
        drivers = await self.attributions.of(prediction)
        facts = await self.explainer.facts(prediction, drivers, progress)
        digest, turn = facts_digest(facts), Turn(urgent=request.occasion == "request")

        async def make() -> Explanation:
            left = self.service.settings.explanation.answer_within_seconds - waited - (time.monotonic() - began)
            explanation = await self.explainer.explain(facts, request.occasion, left, turn, progress)
            await self._finish(facts, explanation)
            return explanation

        explanation = await self.kept.of(prediction, digest) or await self.making.once(digest, turn, make)
        await progress.at("done")
        return explanation

    def _progress(self, request: ExplainRequest) -> Progress:
        prediction = request.prediction

        async def tell(told: ExplainProgress) -> None:
            identity = prediction.prediction_id
            now = self.service.clock.now()
            envelope = wrap(told, message_id=identity, correlation_id=identity, source=NAME, at=now)
            await self.service.bus.tell(EXPLAINING, envelope)

        show_drafts = self.service.settings.explanation.show_drafts
        return Progress(prediction.prediction_id, prediction.ticker, tell, time.monotonic, show_drafts)

    async def _finish(self, facts: Facts, explanation: Explanation) -> None:
        await self.kept.keep(facts.prediction, explanation)
        EXPLANATIONS.labels(explanation.generator).inc()
        EXPLANATION_SECONDS.labels(explanation.generator).observe(explanation.seconds)
        LLM_TOKENS.labels("read").inc(explanation.tokens_in)
        LLM_TOKENS.labels("written").inc(explanation.tokens_out)
        for reason, count in explanation.dropped.items():
            SENTENCES_DROPPED.labels(reason).inc(count)
        _log.info(
            "explained",
            ticker=explanation.ticker,
            occasion=explanation.occasion,
            generator=explanation.generator,
            dropped=dict(explanation.dropped),
            seconds=explanation.seconds,
        )


def _explainer(service: Service, embedder: Embedder, vectors: Vectors, llm: Llm, records: Records) -> Explainer:
    settings = service.settings
    gate = Gate(settings.llm.concurrency, settings.explanation.queue, EXPLANATIONS_WAITING.set)
    return Explainer(
        Retrieval(embedder, vectors, settings.explanation.documents, settings.explanation.retrieval),
        records.of,
        Writer(llm, embedder, Breaker(time.monotonic), gate, time.monotonic),
        service.clock,
        time.monotonic,
    )


async def main(service: Service) -> None:
    """Explain until asked to stop."""
    settings = service.settings
    engine = make_service_engine(settings.database.url, settings.database.pool_size)
    # A search that nobody waits for any more gives its thread back.
    longest = min(settings.vectors.timeout_seconds, settings.explanation.retrieval.timeout_seconds)
    vectors = Vectors(settings.vectors.model_copy(update={"timeout_seconds": longest}))
    cache, llm = Cache.connect(settings.redis), Llm(settings.llm)
    embedder = await service.until_done(
        "embedder", lambda: asyncio.to_thread(make_embedder, settings.embedding, settings.home)
    )
    lookups, knowledge = Lookups(settings.database.pool_size), Knowledge(engine, settings.model)
    explainer = _explainer(service, embedder, vectors, llm, Records(engine, lookups))
    aside = [
        asyncio.create_task(explainer.writer.warm_up()),
        asyncio.create_task(watch_cache(cache, service.health, service.stopping)),
    ]
    handler = Explain(
        service,
        Attributions(cache, knowledge, lookups, settings.model, settings.explanation.drivers),
        explainer,
        Kept(cache, service.clock, service.health, llm.model),
    )
    try:
        if settings.explanation.initiative.per_minute:
            await service.until_done("nats", Initiative(service, partial(lookups.of, knowledge.newest_quotes)).begin)
        await service.consume(
            Consumption(
                Durable("explain", EXPLAIN.name, max_pending=_IN_HAND, shared=settings.consumers.shared),
                codec_of(EXPLAIN),
                handler.on_request,
                max_batch=1,
                side_by_side=True,
            )
        )
    finally:
        for task in aside:
            task.cancel()
        vectors.close()
        await llm.close()
        await cache.close()
        close_engine(engine)


if __name__ == "__main__":
    run(NAME, main)
