"""Questions that a consumer answers over the bus: a fresh prediction, an explanation."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nats.aio.msg import Msg

from riskee.clock import Clock
from riskee.errors import RetryableError, RiskeeError
from riskee.messaging.envelope import wrap
from riskee.messaging.explanations import ExplainRequest, Explanation
from riskee.messaging.messages import ModelType, Prediction, PredictionFailed, PredictJob
from riskee.messaging.subjects import (
    EXPLAIN,
    EXPLAINED,
    PREDICT_EARNINGS,
    PREDICT_NORMAL,
    PREDICTION_FAILED,
    PREDICTION_UPDATED,
)
from riskee.storage.bus import Bus, codec_of
from serving.api.hub import Hub

SOURCE = "api"
_JOBS = {"normal": PREDICT_NORMAL, "earnings": PREDICT_EARNINGS}


@dataclass
class Asker:
    """Publishes questions, and hands each answer to whoever waits for it; predictions also go to the hub."""

    hub: Hub
    clock: Clock
    new_id: Callable[[], uuid.UUID] = uuid.uuid4
    bus: Bus | None = None
    # Kept, for a task that nobody holds may be collected.
    _asking: set[asyncio.Task[None]] = field(default_factory=set)
    _waiting: defaultdict[uuid.UUID, list[asyncio.Future[Any]]] = field(default_factory=lambda: defaultdict(list))

    async def attach(self, bus: Bus) -> None:
        """Begin to listen."""
        for subject, receive in (
            (PREDICTION_UPDATED, self._on_prediction),
            (PREDICTION_FAILED, self._on_failure),
            (EXPLAINED, self._on_explanation),
        ):
            await bus.listen(subject.name, receive)
        self.bus = bus

    async def predict(self, ticker: str, model_type: ModelType, timeout: float) -> Prediction | PredictionFailed:
        """A prediction computed now. Raises TimeoutError, or RetryableError where the bus is away."""
        job = PredictJob(job_id=self.new_id(), ticker=ticker, requested_at=self.clock.now())
        envelope = wrap(job, message_id=job.job_id, correlation_id=job.job_id, source=SOURCE, at=job.requested_at)
        bus = self.require_bus()
        with self._expect(job.job_id) as answer:
            await bus.publish(_JOBS[model_type], envelope)
            result: Prediction | PredictionFailed = await asyncio.wait_for(answer, timeout)
        return result

    async def explain(self, prediction: Prediction, timeout: float) -> Explanation:
        """An explanation of this prediction; several who ask at once cause one. Raises as `predict`."""
        identity = prediction.prediction_id
        bus = self.require_bus()
        # One that was answered a moment ago is still among them, and brings no second answer.
        asked = any(not answer.done() for answer in self._waiting.get(identity, ()))
        with self._expect(identity) as answer:
            if not asked:
                # In a task of its own: who asks first may be gone before the question is, and others wait for it.
                asking = asyncio.create_task(self._ask_to_explain(bus, prediction))
                self._asking.add(asking)
                asking.add_done_callback(self._asking.discard)
            result: Explanation = await asyncio.wait_for(answer, timeout)
        return result

    async def _ask_to_explain(self, bus: Bus, prediction: Prediction) -> None:
        identity = prediction.prediction_id
        request = ExplainRequest(prediction=prediction, requested_at=self.clock.now())
        envelope = wrap(
            request, message_id=self.new_id(), correlation_id=identity, source=SOURCE, at=request.requested_at
        )
        try:
            await bus.publish(EXPLAIN, envelope)
        except RiskeeError as error:
            self._fail(identity, error)

    def require_bus(self) -> Bus:
        """The bus. Raises RetryableError where it is away."""
        if self.bus is None or not self.bus.connected:
            raise RetryableError("the message bus does not answer", "try again shortly; see /health/ready")
        return self.bus

    @contextmanager
    def _expect(self, identity: uuid.UUID) -> Iterator[asyncio.Future[Any]]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[identity].append(answer)
        try:
            yield answer
        finally:
            self._waiting[identity].remove(answer)
            if not self._waiting[identity]:
                del self._waiting[identity]

    def _settle(self, identity: uuid.UUID, result: object) -> None:
        for answer in self._waiting.get(identity, ()):
            if not answer.done():
                answer.set_result(result)

    def _fail(self, identity: uuid.UUID, error: RiskeeError) -> None:
        """Nothing will come: tell all who wait for it, not only the one who asked."""
        for answer in self._waiting.get(identity, ()):
            if not answer.done():
                answer.set_exception(error)

    async def _on_prediction(self, message: Msg) -> None:
        envelope = codec_of(PREDICTION_UPDATED).decode(message.data)
        self.hub.publish(envelope.payload)
        self._settle(envelope.correlation_id, envelope.payload)

    async def _on_failure(self, message: Msg) -> None:
        envelope = codec_of(PREDICTION_FAILED).decode(message.data)
        self._settle(envelope.correlation_id, envelope.payload)

    async def _on_explanation(self, message: Msg) -> None:
        envelope = codec_of(EXPLAINED).decode(message.data)
        self.hub.explained(envelope.payload)
        self._settle(envelope.payload.prediction_id, envelope.payload)
