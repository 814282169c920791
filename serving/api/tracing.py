"""A trace of each sampled request: what comes from outside decides neither its id nor whether it is made."""

import re
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from uuid import UUID, uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskee.clock import Clock
from riskee.tracing import Span, Tracer
from riskee.tracing.hops import Hop, Kind
from riskee.tracing.span import Remote

_HEADER = b"traceparent"
# W3C's Trace Context, version 00; ids of zeros are none.
_GIVEN = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_REQUEST = Hop("http.request", Kind.SERVER)


def remote_of(header: bytes) -> Remote | None:
    """The caller's own span, by the header `traceparent`; None for any other text."""
    given = _GIVEN.fullmatch(header)
    return Remote(int(given[1], 16), int(given[2], 16)) if given else None


class TracedRequests:
    """Tells a tracer of requests; the caller's own trace is a link in it."""

    def __init__(
        self,
        app: ASGIApp,
        tracer: Tracer,
        clock: Clock,
        route_of: Callable[[Scope], str],
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self._app = app
        self._tracer = tracer
        self._clock = clock
        self._route_of = route_of
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace = self._new_id()
        if scope["type"] != "http" or not self._tracer.samples(trace):
            await self._app(scope, receive, send)
            return
        began, status, error = self._clock.now(), 0, ""

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            if not error and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                error = str(status)
            self._tell(scope, trace, began, status, error)

    def _tell(self, scope: Scope, trace: UUID, began: datetime, status: int, error: str) -> None:
        route = self._route_of(scope)
        about: dict[str, str | int] = {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status,
            "riskee.request_id": scope["state"]["request_id"],
        }
        name, ended = f"{scope['method']} {route}", self._clock.now()
        link = remote_of(next((value for key, value in scope["headers"] if key == _HEADER), b""))
        span_id = _REQUEST.span_id(trace)
        self._tracer.put(Span(trace, span_id, None, name, _REQUEST.kind, began, ended, about, link, error))
