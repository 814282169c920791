"""What became of the predictions."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.api.answers import answers
from serving.api.parameters import TickerPath
from serving.api.records import TrackRecordAnswer
from serving.api.replies import MINUTE, backend_of, kept

router = APIRouter(tags=["track record"])


@router.get("/track-record", responses=answers(TrackRecordAnswer))
async def track_record(request: Request) -> Response:
    """What became of all predictions. It is counted once a minute."""
    return kept(request, await backend_of(request).records.of_all(), MINUTE)


@router.get("/track-record/{ticker}", responses=answers(TrackRecordAnswer, 404, 422))
async def track_record_of(request: Request, ticker: TickerPath) -> Response:
    """What became of a ticker's predictions."""
    backend = backend_of(request)
    name = await backend.directory.predicted(ticker)
    return kept(request, await backend.records.of(name), MINUTE)
