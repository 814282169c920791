"""Where routes live: under `/v1`, and reached by the short paths as well."""

from collections.abc import Iterable

from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/v1"


class Aliases:
    """Lets the short path of a route (`/predict/AAPL`) be a name of the versioned one (`/v1/predict/AAPL`).

    The path is rewritten before anything else looks at it, so each route exists once: for the router, the scopes and
    the metrics.
    """

    def __init__(self, app: ASGIApp, versioned: Iterable[APIRouter]) -> None:
        self._app = app
        self._first = frozenset(_first(getattr(route, "path", "")) for router in versioned for route in router.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and _first(scope["path"]) in self._first:
            scope["path"] = PREFIX + scope["path"]
        await self._app(scope, receive, send)


def _first(path: str) -> str:
    return path[1:].partition("/")[0]
