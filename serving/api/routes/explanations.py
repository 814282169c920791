"""Why a prediction is what it is."""

import re
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from riskee.access.grants import Grant
from riskee.messaging.messages import Prediction
from serving.api.answers import ExplanationAnswer, answers, explanation_answer
from serving.api.idempotency import IdempotencyKey, IdempotentRoute
from serving.api.latest import latest_number
from serving.api.parameters import TICKER
from serving.api.problems import ProblemError
from serving.api.replies import backend_of, kept, reply
from serving.api.security.caller import require

router = APIRouter(tags=["explanations"], route_class=IdempotentRoute)
_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
Reference = Annotated[
    str,
    Path(
        pattern=f"{_UUID}|{TICKER}",
        description="a prediction's id; or a ticker, which stands for its latest prediction",
        examples=["0c5f4a3e-6f0e-5f3a-9b0e-2f4d1c7e8a90"],
    ),
]


@router.get("/explain/{reference}", responses=answers(ExplanationAnswer, 404, 422, 504))
async def explanation_of(request: Request, reference: Reference) -> Response:
    """Why a prediction is what it is, by its id.

    By a ticker it is that of its latest prediction, which is written where there is none yet: that takes seconds.
    """
    backend = backend_of(request)
    if re.match(_UUID, reference):
        explanation, prediction = await backend.reader.explained(UUID(reference))
        if explanation is None:
            raise _not_explained(reference, prediction)
        shown = None if prediction is None else backend.reader.judge(prediction, backend.clock.now())
        return kept(request, explanation_answer(explanation, shown, cached=True))
    number = await latest_number(backend, reference)
    known = await backend.reader.explanation(number.prediction)
    if known is not None:
        return reply(explanation_answer(known, number, cached=True))
    return await _asked(request, number.prediction)


@router.post("/explain/{reference}", responses=answers(ExplanationAnswer, 404, 409, 422, 504))
async def explain(request: Request, reference: Reference, _key: IdempotencyKey = None) -> Response:
    """Explain a prediction, or the latest one of a ticker.

    Takes seconds, unless there is an explanation already that was made from the very facts that hold now.
    """
    backend = backend_of(request)
    if re.match(_UUID, reference):
        return await _asked(request, await backend.reader.prediction(UUID(reference)))
    return await _asked(request, (await latest_number(backend, reference)).prediction)


def _not_explained(reference: str, prediction: Prediction | None) -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND,
        "not_found",
        f"the prediction {reference} was not explained",
        f"POST /v1/explain/{reference} explains it",
        ticker="" if prediction is None else prediction.ticker,
    )


async def _asked(request: Request, prediction: Prediction) -> Response:
    backend = backend_of(request)
    require(request, Grant.EXPLANATIONS_CREATE)
    seconds, began = backend.settings.api.explain_timeout_seconds, backend.clock.now()
    try:
        explanation = await backend.asker.explain(prediction, seconds)
    except TimeoutError as error:
        path = f"/v1/explain/{prediction.prediction_id}"
        raise ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            "timeout",
            f"no explanation within {seconds} s",
            f"the work goes on: ask for {path} shortly; `riskee status` shows explain and ollama",
            headers={"Retry-After": "10"},
            explanation=path,
        ) from error
    number = backend.reader.judge(prediction, backend.clock.now())
    return reply(explanation_answer(explanation, number, cached=explanation.created_at < began))
