"""What the statuses mean."""

from fastapi import APIRouter
from starlette.responses import Response

from serving.api.answers import StatusAnswer, answers, status_answers
from serving.api.replies import reply

router = APIRouter(tags=["predictions"])


@router.get("/statuses", responses=answers(list[StatusAnswer]))
async def statuses() -> Response:
    """What each status of a prediction means, and what to do; the gravest first."""
    return reply(status_answers())
