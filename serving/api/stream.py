"""`/v1/stream`: predictions, statuses and explanations over a WebSocket. docs/stream.md describes the messages."""

from http import HTTPStatus

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.types import Message

from riskee.errors import RiskeeError
from serving.api import problems
from serving.api.backend import Backend
from serving.api.problems import ProblemError, problem_of
from serving.api.security.address import address_of
from serving.api.streaming.charging import charge, weight
from serving.api.streaming.framing import frames
from serving.api.streaming.messages import Request
from serving.api.streaming.outlet import Outlet
from serving.api.streaming.protocols import connection_of

router = APIRouter()


async def stream(socket: WebSocket) -> None:
    """Predictions as they are made."""
    backend: Backend = socket.app.state.backend
    try:
        with backend.streams.admission.admit(address_of(socket.scope)):
            await socket.accept()
            await _serve(socket, backend)
    except ProblemError as problem:
        await socket.send_denial_response(problems.respond(problem, socket.url.path))


async def _serve(socket: WebSocket, backend: Backend) -> None:
    """Meet the client's requests one after another: the next is read when the answer to the last is on its way."""
    with backend.streams.opened(connection_of(socket.scope), frames) as outlet:
        first, asked = True, False
        while (message := await socket.receive())["type"] == "websocket.receive":
            try:
                # The first one came with the connection, which is counted.
                await charge(socket, int(asked))
                asked = True
                request = _request(message, first=first)
                await charge(socket, weight(request.tickers) if request.type == "subscribe" else 0)
                await _meet(backend, outlet, request)
                first = False
            except ProblemError as problem:
                await backend.subscribing.refuse(outlet, problem)
            except RiskeeError as error:
                await backend.subscribing.refuse(outlet, problem_of(error))
            await outlet.drained()


def _request(message: Message, *, first: bool) -> Request:
    text = message.get("text")
    if text is None:
        raise _bad_request("the frame is binary, not text")
    try:
        request = msgspec.json.decode(text, type=Request)
    except msgspec.MsgspecError as error:
        raise _bad_request(str(error)) from error
    if request.resume and not first:
        raise _bad_request("only the first request of a connection can resume")
    return request


async def _meet(backend: Backend, outlet: Outlet, request: Request) -> None:
    if request.type == "unsubscribe":
        await backend.subscribing.unsubscribe(outlet, request.tickers)
    else:
        wanted = await backend.subscribing.wanted(request.tickers, outlet.listener.tickers)
        await backend.subscribing.subscribe(outlet, wanted, request.resume)


def _bad_request(cause: str) -> ProblemError:
    step = 'send {"type": "subscribe", "tickers": ["AAPL"]}'
    return ProblemError(HTTPStatus.BAD_REQUEST, "bad_request", cause, step)


router.add_websocket_route("/stream", stream)
