"""Stored explanations: written once, the best one of a prediction, those of a ticker page by page."""

import uuid
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from riskee.messaging.envelope import Envelope
from riskee.messaging.explanations import Explanation
from riskee.messaging.subjects import EXPLAINED
from riskee.storage.explanations import explanation_of, explanations_of_ticker
from riskee.storage.recording import EXPLANATIONS, record
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration


def _envelope(number: int, **changes: Any) -> Envelope[Explanation]:
    """The sample, made `number` seconds later."""
    sample = samples.sample(EXPLAINED.name)
    later = sample.payload.created_at + timedelta(seconds=number)
    payload = msgspec.structs.replace(
        sample.payload, explanation_id=uuid.UUID(int=100 + number), created_at=later, **changes
    )
    return msgspec.structs.replace(sample, payload=payload)


def test_an_explanation_is_stored_once_and_read_as_it_was(engine: Engine) -> None:
    written = _envelope(0)
    assert record(engine, EXPLANATIONS, [written, written]) == 1
    assert record(engine, EXPLANATIONS, [written]) == 0
    with engine.connect() as connection:
        assert explanation_of(connection, written.payload.prediction_id) == written.payload
        assert explanation_of(connection, uuid.UUID(int=999)) is None


def test_the_model_s_newest_explanation_of_a_prediction_counts(engine: Engine) -> None:
    made = [_envelope(0), _envelope(1), _envelope(2, generator="template", llm="", record=None)]
    record(engine, EXPLANATIONS, made)
    with engine.connect() as connection:
        assert explanation_of(connection, samples.PREDICTION.prediction_id) == made[1].payload


def test_a_ticker_s_explanations_come_newest_first_page_by_page(engine: Engine) -> None:
    made = [_envelope(number, prediction_id=uuid.UUID(int=number)) for number in range(5)]
    record(engine, EXPLANATIONS, [*made, _envelope(9, ticker="IBM")])
    with engine.connect() as connection:
        first = explanations_of_ticker(connection, "AAPL", 2)
        second = explanations_of_ticker(connection, "AAPL", 9, before=first[-1].created_at)
    assert first == [made[4].payload, made[3].payload]
    assert second == [each.payload for each in reversed(made[:3])]
