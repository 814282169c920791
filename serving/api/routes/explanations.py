"""Why a prediction is what it is."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.api.answers import ExplanationAnswer, answers, explanation_answer
from serving.api.latest import latest_number
from serving.api.problems import ProblemError
from serving.api.replies import backend_of, reply

router = APIRouter(tags=["explanations"])


@router.get("/explain/{ticker}", responses=answers(ExplanationAnswer, 404, 504))
@router.post("/explain/{ticker}", responses=answers(ExplanationAnswer, 404, 504))
async def explain(request: Request, ticker: str) -> Response:
    """Why the latest prediction of a ticker is what it is. Takes seconds where nobody asked before."""
    backend = backend_of(request)
    number = await latest_number(backend, ticker)
    known = await backend.reader.explanation(number.prediction)
    if known is not None:
        return reply(explanation_answer(known, number, cached=True))
    seconds = backend.settings.api.explain_timeout_seconds
    try:
        explanation = await backend.asker.explain(number.prediction, seconds)
    except TimeoutError as error:
        raise ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            "timeout",
            f"no explanation within {seconds} s",
            "see `riskee status` for explain and ollama, and ask again: the work goes on",
        ) from error
    return reply(explanation_answer(explanation, number, cached=False))
