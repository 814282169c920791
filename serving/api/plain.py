"""Routes that are documented by FastAPI and served without it."""

from collections.abc import Sequence

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from riskee.errors import RiskeeError
from serving.api.problems import ProblemError, refused, respond

# Of an answer to HEAD the server sends the head alone.
_READING = frozenset({"GET", "HEAD"})


class PlainRoutes:
    """Middleware that serves GET and HEAD of some routes, whose parameters are the request and the strings of their
    paths.

    FastAPI spends as much on its own middleware, its router and the parameters of a request as Starlette on all of it;
    here nothing needs it (docs/adr/0125). The routes are the application's too, for its document and for other methods.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[APIRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._find(scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await route.endpoint(Request(scope, receive, send), **scope["path_params"])
        except ProblemError as problem:
            response = respond(problem, scope["path"])
        except RiskeeError as error:
            response = refused(error, scope["path"])
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> APIRoute | None:
        if scope["type"] != "http" or scope["method"] not in _READING:
            return None
        for route in self._routes:
            found = route.path_regex.match(scope["path"])
            if found:
                scope["route"], scope["path_params"] = route, found.groupdict()
                return route
        return None
