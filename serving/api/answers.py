"""What the API answers: the messages, plus a status."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

import msgspec

from riskee.messaging.explanations import Explanation
from riskee.messaging.messages import Flag, Prediction, PredictionFailed
from riskee.messaging.statuses import MEANINGS, Status, meaning_of
from serving.api.standing import Number

JSON = "application/json"


class PredictionAnswer(Prediction, frozen=True, kw_only=True):
    """A prediction. `status` is the gravest of its flags (`GET /statuses` tells what each means), and `status_since`
    from when on it holds, where that is known; `session` is open while its bar is provisional."""

    status: Status
    status_since: datetime | None
    session: Literal["open", "closed"]


class FailureAnswer(msgspec.Struct, frozen=True):
    """Why a ticker of a batch has no prediction."""

    ticker: str
    status: str
    detail: str
    next_step: str


class BatchAnswer(msgspec.Struct, frozen=True):
    """The answer to a batch: every ticker asked for is in one of the two."""

    predictions: tuple[PredictionAnswer, ...]
    failures: tuple[FailureAnswer, ...]


class ExplanationAnswer(Explanation, frozen=True, kw_only=True):
    """An explanation with the prediction that it explains, null where that is not kept any more. Its status is the one
    that holds now: a number of the past is `stale`, though it was `ok` when it was explained."""

    prediction: PredictionAnswer | None
    cached: bool


class StatusAnswer(msgspec.Struct, frozen=True):
    """What a status means and what to do; the gravest come first. `last_known`: the number is not a current one."""

    status: Status
    meaning: str
    next_step: str
    last_known: bool


class TickerAnswer(msgspec.Struct, frozen=True):
    """A ticker; an index is not predicted itself."""

    ticker: str
    name: str
    is_index: bool
    source: str


class HealthAnswer(msgspec.Struct, frozen=True):
    """Whether the service can serve, and `ok` or the trouble of each dependency; `access`: whether it asks for
    a key or token."""

    service: str
    status: Literal["ok", "degraded", "unavailable"]
    access: Literal["open", "credentials"]
    dependencies: dict[str, str]


class ProblemAnswer(msgspec.Struct, frozen=True):
    """Problem details (RFC 9457), with the next step."""

    type: str
    title: str
    status: int
    detail: str
    next_step: str
    instance: str
    request_id: str


REFERENCE = "#/components/schemas/{name}"


# What is checked before any handler, such as credentials, the document's part on security adds.
_ANYWHERE = (500, 503)


def answers(answer: Any, *problems: int) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses`: the answer (a struct, or a list of them), and the problems that may come instead."""
    return {
        200: answer_response("the answer", answer),
        **{code: problem_response(code) for code in sorted({*problems, *_ANYWHERE})},
    }


def answer_response(description: str, answer: Any) -> dict[str, Any]:
    """How the document tells of an answer."""
    return _response(description, JSON, answer)


def problem_response(code: int) -> dict[str, Any]:
    """How the document tells of a problem."""
    return _response(HTTPStatus(code).phrase.lower(), "application/problem+json", ProblemAnswer)


def health_answers() -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` of a health page: the same body whether it can serve or not."""
    return {200: answer_response("can serve", HealthAnswer), 503: answer_response("cannot serve", HealthAnswer)}


def _response(description: str, media: str, body: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components((body,), ref_template=REFERENCE)
    return {"description": description, "content": {media: {"schema": schema}}}


def prediction_answer(number: Number) -> PredictionAnswer:
    """A prediction with its status."""
    prediction = number.prediction
    values = msgspec.structs.asdict(prediction)
    session = session_of(prediction)
    return PredictionAnswer(**values, status=number.status, status_since=number.since, session=session)


def session_of(prediction: Prediction) -> Literal["open", "closed"]:
    """Open while the bar that it was made from is provisional."""
    return "open" if Flag.PROVISIONAL_BAR in prediction.flags else "closed"


def explanation_answer(explanation: Explanation, number: Number | None, *, cached: bool) -> ExplanationAnswer:
    """An explanation beside its prediction."""
    values = msgspec.structs.asdict(explanation)
    shown = None if number is None else prediction_answer(number)
    return ExplanationAnswer(**values, prediction=shown, cached=cached)


def status_answers() -> list[StatusAnswer]:
    """All statuses."""
    return [StatusAnswer(each.status, each.text, each.next_step, each.last_known) for each in MEANINGS]


def failure_answer(failed: PredictionFailed) -> FailureAnswer:
    """A failure that predict reported."""
    return FailureAnswer(failed.ticker, failed.status, failed.reason, meaning_of[failed.status].next_step)
