"""The FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskee import __version__
from riskee.settings import Settings
from riskee.telemetry import HTTP_REQUESTS, HTTP_SECONDS
from serving.api import problems
from serving.api.answers import schemas
from serving.api.backend import open_backend
from serving.api.paths import PREFIX, Aliases
from serving.api.routes import FIRST, PLAIN, VERSIONED

DASHBOARD = Path(__file__).parents[1] / "dashboard"


class Measured:
    """Counts and times requests by route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # An unmatched path has no route: its name must not become a label.
                route = getattr(scope.get("route"), "path", "none")
                HTTP_REQUESTS.labels(route, message["status"]).inc()
                HTTP_SECONDS.labels(route).observe(perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects when it starts to serve."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_backend(settings) as backend:
            app.state.backend = backend
            yield

    app = FastAPI(
        title="Riskee",
        version=__version__,
        description="Stock price predictions as the market moves, each with its uncertainty and an explanation.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.router.routes.extend(FIRST)
    for router in VERSIONED:
        app.include_router(router, prefix=PREFIX)
    for router in PLAIN:
        app.include_router(router)
    # The last one added is the first to see a request.
    app.add_middleware(Measured)
    app.add_middleware(Aliases, versioned=VERSIONED)
    app.mount("/dashboard", StaticFiles(directory=DASHBOARD, html=True), name="dashboard")
    app.mount("/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")
    app.add_route("/", _to_dashboard, include_in_schema=False)
    app.add_route("/docs", _docs, include_in_schema=False)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas())
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    return app


async def _to_dashboard(_request: object) -> RedirectResponse:
    return RedirectResponse("/dashboard/")


async def _docs(_request: object) -> HTMLResponse:
    """FastAPI's page, with Swagger's files served from here: it works without the internet."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Riskee API",
        swagger_js_url="/swagger/swagger-ui-bundle.js",
        swagger_css_url="/swagger/swagger-ui.css",
        swagger_favicon_url="/swagger/favicon-32x32.png",
    )
