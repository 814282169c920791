"""The tickers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.api.answers import TickerAnswer, answers
from serving.api.replies import MINUTE, backend_of, kept

router = APIRouter(tags=["tickers"])


@router.get("/tickers", responses=answers(list[TickerAnswer], 422))
async def tickers(
    request: Request,
    search: Annotated[str, Query(max_length=64, description="part of the symbol or of the name")] = "",
    limit: Annotated[int, Query(ge=1, le=10_000, description="tickers of a page")] = 10_000,
    after: Annotated[str, Query(max_length=16, description="the last ticker of the page before this one")] = "",
) -> Response:
    """The tickers that are known, in order. The header `Link` leads to the next page, where there is one."""
    wanted = search.casefold()
    infos = await backend_of(request).directory.infos()
    found = [
        info
        for info in infos
        if info.ticker > after and (wanted in info.ticker.casefold() or wanted in info.name.casefold())
    ]
    page = [TickerAnswer(info.ticker, info.name, info.is_index, info.source) for info in found[:limit]]
    response = kept(request, page, MINUTE)
    if len(found) > limit:
        url = request.url.include_query_params(after=page[-1].ticker)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return response
