"""Plays the consumers for the API's tests."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from riskee.explanation import prompt
from riskee.messaging.envelope import wrap
from riskee.messaging.explanations import ExplainRequest, Explanation
from riskee.messaging.messages import Prediction, PredictionFailed, PredictJob
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import EXPLAIN, EXPLAINED, PREDICT_NORMAL, PREDICTION_FAILED, PREDICTION_UPDATED
from riskee.settings import LlmSettings
from riskee.storage.bus import Bus, codec_of
from tests.integration.made_predictions import made, sealed
from tests.unit.messaging import samples


class Answering:
    """Plays the consumers: answers jobs and questions."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.explained = 0
        # Cleared, it holds back the explanations.
        self.may_explain = asyncio.Event()
        self.may_explain.set()

    async def on_job(self, message: Any) -> None:
        job: PredictJob = codec_of(PREDICT_NORMAL).decode(message.data).payload
        if job.ticker == "MSFT":
            failed = PredictionFailed(
                ticker="MSFT", feed="", data_time=job.requested_at, status=Status.NO_QUOTE, reason="no quote yet"
            )
            envelope = wrap(
                failed, message_id=uuid.uuid4(), correlation_id=job.job_id, source="test", at=job.requested_at
            )
            await self.bus.publish(PREDICTION_FAILED, envelope)
        if job.ticker == "AAPL":
            await self.bus.publish(PREDICTION_UPDATED, sealed(made("AAPL", 123.0), job.job_id))

    async def on_explain(self, message: Any) -> None:
        request: ExplainRequest = codec_of(EXPLAIN).decode(message.data).payload
        self.explained += 1
        await asyncio.sleep(0.2)
        await self.may_explain.wait()
        answer = msgspec.structs.replace(explanation(request.prediction), created_at=datetime.now(UTC))
        envelope = wrap(
            answer,
            message_id=answer.explanation_id,
            correlation_id=uuid.uuid4(),
            source="test",
            at=answer.created_at,
        )
        await self.bus.publish(EXPLAINED, envelope)


def explanation(prediction: Prediction) -> Explanation:
    payload: Explanation = samples.sample(EXPLAINED.name).payload
    return msgspec.structs.replace(
        payload,
        explanation_id=uuid.uuid4(),
        prediction_id=prediction.prediction_id,
        ticker=prediction.ticker,
        prompt_version=prompt.VERSION,
        llm=LlmSettings().model,
    )


@pytest.fixture
async def answering(bus: Bus) -> Answering:
    answering = Answering(bus)
    await bus.listen(PREDICT_NORMAL.name, answering.on_job)
    await bus.listen(EXPLAIN.name, answering.on_explain)
    await bus.client.flush()
    return answering
