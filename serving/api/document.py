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
    problem_response,
)
from serving.api.paths import PREFIX
from serving.api.records import TrackRecordAnswer
from serving.api.routes.features import FeaturesAnswer
from serving.api.routes.history import HistoryAnswer
from serving.api.routes.jobs import JobAnswer
from serving.api.routes.models import ModelAnswer, WholeModelAnswer
from serving.api.samples import SAMPLES
from serving.api.security.document import describe
from serving.api.streaming.framing import MEDIA_TYPE

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


_TEXT = {"schema": {"type": "string"}}
_HEADERS = {
    "X-Request-ID": {"description": "the id of the request, in the logs too", **_TEXT},
    "ETag": {"description": "stands for exactly this body", **_TEXT},
    "Cache-Control": {"description": "how long a client may keep it", **_TEXT},
    "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
    "Location": {"description": "where the result will be", **_TEXT},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "the ETag of the answer that the client has",
    **_TEXT,
}
# What the checks before the handlers may answer.
_OF_ALL = (421, 504)
_OF_BODIES = (400, 408, 413)
_ENDLESS = "/v1/stream"
_NEVER_KEPT = (_ENDLESS, "/v1/jobs")


def complete(app: FastAPI) -> None:
    """Let the application's document have the schemas of its answers, which are not FastAPI's, and all that is true of
    every route."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        known.update(msgspec.json.schema_components(_ANSWERS, ref_template=REFERENCE)[1])
        for unused in ("HTTPValidationError", "ValidationError"):
            known.pop(unused, None)
        for name, sample in SAMPLES.items():
            known[name]["examples"] = [sample]
        document["components"]["headers"] = _HEADERS
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if path.startswith(PREFIX):
                    _complete(path, method, operation)
        describe(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for code in (*_OF_ALL, *(_OF_BODIES if method == "post" else ()), *({422} & set(map(int, responses)))):
        if "ProblemAnswer" not in str(responses.get(str(code))):
            responses[str(code)] = problem_response(code)
    # FastAPI calls events a string, which each of them is not.
    responses.get("200", {}).get("content", {}).get(MEDIA_TYPE, {}).clear()
    for code in responses:
        _head(responses, code, "X-Request-ID")
    for code in {"202", "503", "504"} & set(responses):
        _head(responses, code, "Retry-After")
    if "202" in responses:
        _head(responses, "202", "Location")
    if method == "get" and not path.startswith(_NEVER_KEPT):
        responses["304"] = {"description": "what If-None-Match names is still the answer"}
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        for code in ("200", "304"):
            _head(responses, code, "ETag", "Cache-Control", "X-Request-ID")


def _head(responses: dict[str, Any], code: str, *names: str) -> None:
    headers = responses[code].setdefault("headers", {})
    headers.update({name: {"$ref": f"#/components/headers/{name}"} for name in names})
