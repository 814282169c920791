"""What record tells of a batch: the ticks in it, not the answers to jobs."""

import uuid
from collections.abc import Sequence
from typing import Any

from riskee.messaging.envelope import Envelope, wrap
from riskee.tracing.hops import EVENT_PUBLISH, RECORD_PREDICTIONS
from riskee.tracing.sending import SendingTracer
from serving.consumers.record import traced
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.standings import START, World
from tests.unit.tracing.ticks import Kept


def caused_by(cause: uuid.UUID) -> Envelope[Any]:
    identity = PREDICTION.prediction_id
    return wrap(PREDICTION, message_id=identity, correlation_id=cause, source="predict", at=START)


async def test_the_answer_to_a_job_is_in_no_ticks_trace() -> None:
    written: list[int] = []

    async def write(batch: Sequence[Envelope[Any]]) -> None:
        written.append(len(batch))

    kept = Kept()
    handle = traced(write, SendingTracer(kept, World(), 1.0), RECORD_PREDICTIONS)
    await handle([caused_by(PREDICTION.quote_id), caused_by(uuid.UUID(int=7))])
    assert written == [2]
    assert [(span.trace, span.parent_id) for span in kept.spans] == [
        (PREDICTION.quote_id, EVENT_PUBLISH.span_id(PREDICTION.quote_id))
    ]
