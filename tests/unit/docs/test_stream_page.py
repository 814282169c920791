"""The pages on the stream are what the code says, and their schemas hold for what is sent."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from riskee.messaging.explanations import ExplainProgress, Explanation
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import EXPLAINED
from serving.api.standing import Number, Reason
from serving.api.streaming import description
from serving.api.streaming.messages import (
    CompleteMessage,
    ErrorMessage,
    ExplainedMessage,
    ExplainingMessage,
    HeartbeatMessage,
    Sent,
    SubscribedMessage,
)
from serving.api.streaming.update import Update, prediction_update, status_update
from tests.unit.messaging import samples

DOCS = Path(__file__).parents[3] / "docs"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_the_pages_are_generated_from_the_code() -> None:
    assert (DOCS / "stream.md").read_text() == description.page(), "run `make docs`"
    assert (DOCS / "stream.json").read_text() == description.asyncapi_text(), "run `make docs`"


def sent() -> Iterator[Update]:
    """One of each kind."""
    explanation = samples.PAYLOADS[EXPLAINED.name]
    assert isinstance(explanation, Explanation)
    progress = ExplainProgress(prediction_id=explanation.prediction_id, ticker="AAPL", stage="done")
    yield prediction_update(1, Number(samples.PREDICTION, Status.OK), snapshot=False)
    yield status_update(2, Reason(Status.STALE, NOW), ("AAPL",), standing=False)
    for message in (
        SubscribedMessage(3, ("AAPL",), "epoch", resumed=True),
        ExplainingMessage(4, progress),
        ExplainedMessage(5, explanation),
        CompleteMessage(6),
        HeartbeatMessage(7, NOW),
        ErrorMessage(8, {"type": "urn:riskee:problem:bad_request"}),
    ):
        yield Update(message)


def test_there_is_a_sample_of_each_message() -> None:
    assert {update.type for update in sent()} == {str(each.__struct_config__.tag) for each in description.messages()}


@pytest.mark.parametrize("update", list(sent()), ids=lambda update: update.type)
def test_what_is_sent_is_what_is_described(update: Update) -> None:
    found = msgspec.json.decode(update.body, type=Sent)
    assert str(found.__struct_config__.tag) == update.type
    assert found.sequence == update.sequence


def test_every_reference_leads_somewhere() -> None:
    document = json.loads((DOCS / "stream.json").read_text())
    for reference in set(re.findall(r'"#/([^"]+)"', json.dumps(document))):
        place: Any = document
        for step in reference.split("/"):
            place = place[step]


def test_the_whole_size_of_a_long_message_is_in_its_frame() -> None:
    update = Update(ErrorMessage(1, {"detail": "x" * 70_000}))
    assert update.header == b"\x81\x7f" + len(update.body).to_bytes(8)
    assert msgspec.json.decode(update.body)["problem"]["detail"] == "x" * 70_000
