"""The tickers."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.api.answers import TickerAnswer, answers
from serving.api.replies import backend_of, reply

router = APIRouter(tags=["tickers"])


@router.get("/tickers", responses=answers(list[TickerAnswer]))
async def tickers(request: Request) -> Response:
    """All tickers that are known."""
    infos = await backend_of(request).directory.infos()
    return reply([TickerAnswer(info.ticker, info.name, info.is_index, info.source) for info in infos])
