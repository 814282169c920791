"""Routes that are documented by FastAPI and served without it."""

from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Receive, Scope, Send


class PlainRoute(APIRoute):
    """A route whose parameters are the request and the strings of its path.

    FastAPI spends as much on reading the parameters of a request as Starlette on all of it; here nothing needs reading.
    It must be added to the application itself: FastAPI wraps the routes of a router that is included (docs/adr/0125).
    """

    def __init__(self, path: str, endpoint: Any, **described: Any) -> None:
        super().__init__(path, endpoint, methods=["GET"], **described)
        self.app = self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.endpoint(Request(scope, receive, send), **scope["path_params"])
        await response(scope, receive, send)
