"""Who asked what: an id for every request, in its answer, its problems and the logs."""

import re
from collections.abc import Callable
from itertools import count
from uuid import UUID

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADER = b"x-request-id"
# A client's id is written into logs and headers: nothing but what is harmless there.
_GIVEN = re.compile(rb"[A-Za-z0-9._\-]{1,128}")


def request_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    found: str = structlog.contextvars.get_contextvars().get("request_id", "")
    return found


class RequestIds:
    """Takes the client's `X-Request-ID` where it is one, makes one where not, and returns it.

    It is `scope["state"]["request_id"]`, and a field of all that is logged on the way.
    """

    def __init__(self, app: ASGIApp, new_id: Callable[[], UUID]) -> None:
        self._app = app
        # Of the process and a number: an id of its own for each request would cost more than all else here.
        self._prefix = new_id().hex[:12]
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        text = given if _GIVEN.fullmatch(given) else f"{self._prefix}-{next(self._numbers):x}".encode()
        identity = text.decode()
        scope.setdefault("state", {})["request_id"] = identity
        structlog.contextvars.bind_contextvars(request_id=identity)

        async def named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                message["headers"] = [*message["headers"], (_HEADER, text)]
            await send(message)

        await self._app(scope, receive, named)
