"""The OpenAPI document."""

from typing import Any

import msgspec
from fastapi import FastAPI

from riskee.documents.document import Document
from serving.api.answers import (
    REFERENCE,
    BatchAnswer,
    ExplanationAnswer,
    HealthAnswer,
    PredictionAnswer,
    ProblemAnswer,
    StatusAnswer,
    TickerAnswer,
)
from serving.api.records import TrackRecordAnswer
from serving.api.routes.features import FeaturesAnswer
from serving.api.routes.history import HistoryAnswer
from serving.api.routes.jobs import JobAnswer
from serving.api.routes.models import ModelAnswer, WholeModelAnswer
from serving.api.security.document import describe

DESCRIPTION = """\
Stock price predictions as the market moves, each with its uncertainty and an explanation.

- Every route of this document but health and metrics also answers without `/v1`, by the same code.
- An error is a problem document (RFC 9457): `type` is what a program checks, `next_step` is for people, and
  `request_id` finds the request in the logs. It is the `X-Request-ID` that was sent, or a new one.
- What can be kept has an `ETag`: sent back as `If-None-Match`, it saves the body (304).
- A `POST` with an `Idempotency-Key` is done once; the same key with another body is refused.
"""
TAGS = [
    {"name": "predictions", "description": "Of one ticker, of many, fresh ones, past ones, and what a status means."},
    {"name": "explanations", "description": "Why a prediction is what it is, and the documents that this cites."},
    {"name": "features", "description": "What the models see of a ticker."},
    {"name": "models", "description": "Where the models come from and how they measured."},
    {"name": "track record", "description": "What became of the predictions, with honest intervals."},
    {"name": "tickers", "description": "What can be asked for."},
    {"name": "health", "description": "For whoever runs it."},
]
_ANSWERS = (
    PredictionAnswer,
    BatchAnswer,
    JobAnswer,
    HistoryAnswer,
    ExplanationAnswer,
    Document,
    FeaturesAnswer,
    ModelAnswer,
    WholeModelAnswer,
    TrackRecordAnswer,
    StatusAnswer,
    TickerAnswer,
    HealthAnswer,
    ProblemAnswer,
)


def complete(app: FastAPI) -> None:
    """Let the application's document have the schemas of its answers, which are not FastAPI's."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        known.update(msgspec.json.schema_components(_ANSWERS, ref_template=REFERENCE)[1])
        for unused in ("HTTPValidationError", "ValidationError"):
            known.pop(unused, None)
        describe(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
