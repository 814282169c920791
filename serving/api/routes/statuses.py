"""What the statuses mean."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.api.answers import StatusAnswer, answers, status_answers
from serving.api.replies import HOUR, kept

router = APIRouter(tags=["predictions"])


@router.get("/statuses", responses=answers(list[StatusAnswer]))
async def statuses(request: Request) -> Response:
    """What each status of a prediction means, and what to do; the gravest first."""
    return kept(request, status_answers(), HOUR)
