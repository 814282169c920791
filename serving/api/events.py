"""`/v1/stream/events`: the stream as server-sent events. The same messages, for clients that only listen."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from riskee.errors import RiskeeError
from serving.api.answers import ProblemAnswer, answers
from serving.api.backend import Backend
from serving.api.problems import problem_of
from serving.api.replies import NEVER, backend_of
from serving.api.security.address import address_of
from serving.api.streaming.charging import charge, weight
from serving.api.streaming.framing import MEDIA_TYPE, Events, resume_of
from serving.api.streaming.messages import Resume
from serving.api.streaming.outlet import Outlet
from serving.api.streaming.protocols import TRY_AGAIN_LATER, connection_of

# nginx and its like would hold events back.
_HEADERS = {"Cache-Control": NEVER, "X-Accel-Buffering": "no", "Connection": "close"}

_ENDLESS = {"description": "messages without an end, as docs/stream.md says", "content": {MEDIA_TYPE: {}}}

router = APIRouter(tags=["stream"])


class EventStream(Response):
    """The answer that does not end."""

    media_type = MEDIA_TYPE

    def __init__(self, backend: Backend, tickers: list[str], resume: Resume | None) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._backend = backend
        self._tickers = tickers
        self._resume = resume

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer until either side ends it. Raises ProblemError where there are enough connections."""
        with self._backend.streams.admission.admit(address_of(scope)):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            connection = connection_of(scope)
            with self._backend.streams.opened(connection, Events(self._backend.hub.log)) as outlet:
                await self._subscribe(outlet)
                await connection.wait_ended()
            await send({"type": "http.response.body", "body": b""})

    async def _subscribe(self, outlet: Outlet) -> None:
        subscribing = self._backend.subscribing
        try:
            await subscribing.subscribe(outlet, self._tickers, self._resume)
        except RiskeeError as error:
            await subscribing.refuse(outlet, problem_of(error))
            await outlet.drained()
            outlet.connection.end(TRY_AGAIN_LATER, error.cause)


LastEventId = Annotated[
    str,
    Header(pattern=r"^([0-9a-zA-Z\-]{1,64}:[0-9]{1,18})?$", description="the last `id`, to go on from there"),
]


@router.get(
    "/stream/events",
    status_code=HTTPStatus.OK,
    response_class=EventStream,
    responses=answers(ProblemAnswer, 400, 404, 429) | {200: _ENDLESS},
)
async def events(
    request: Request,
    tickers: Annotated[str, Query(description="separated by commas; `*` for all", examples=["AAPL,IBM"])],
    last_event_id: LastEventId = "",
) -> Response:
    """Predictions, statuses and explanations as they are made, without an end: docs/stream.md has the messages."""
    backend = backend_of(request)
    try:
        resume = resume_of(last_event_id)
    except RiskeeError as error:
        raise problem_of(error) from error
    named = [ticker for ticker in tickers.split(",") if ticker.strip()]
    await charge(request, weight(named))
    wanted = await backend.subscribing.wanted(named)
    return EventStream(backend, wanted, resume)
