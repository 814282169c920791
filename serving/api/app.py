"""The FastAPI application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from uuid import UUID, uuid4

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from prometheus_client import Counter, Histogram
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from riskee import __version__
from riskee.clock import SystemClock
from riskee.settings import ApiSettings, Settings
from riskee.telemetry import HTTP_REQUESTS, HTTP_SECONDS
from riskee.tracing import OFF, open_tracer
from serving.api import document, problems
from serving.api.asking import SOURCE
from serving.api.backend import open_backend
from serving.api.background import Background
from serving.api.paths import PREFIX, Aliases
from serving.api.plain import PlainRoutes
from serving.api.requests import RequestIds
from serving.api.routes import FIRST, PLAIN, VERSIONED
from serving.api.security.gate import Gate
from serving.api.security.guard import Guard
from serving.api.security.headers import POLICY, policy_with_scripts_of
from serving.api.tracing import TracedRequests

DASHBOARD = Path(__file__).parents[1] / "dashboard"

# What pages of other origins may send, and read, besides what browsers let all of them.
_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "X-Request-ID")
_SHOWN = (
    *("ETag", "Idempotency-Status", "Link", "Location", "Retry-After", "X-Request-ID"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
)


class Measured:
    """Counts and times requests by route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Looking for a metric by its labels costs more than counting.
        self._metrics: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                requests, seconds = self._of(_route_of(scope), message["status"])
                requests.inc()
                seconds.observe(perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)

    def _of(self, route: str, status: int) -> tuple[Counter, Histogram]:
        found = self._metrics.get((route, status))
        if found is None:
            found = HTTP_REQUESTS.labels(route, status), HTTP_SECONDS.labels(route)
            self._metrics[route, status] = found
        return found


def _route_of(scope: Scope) -> str:
    """The versioned path of the route; an unmatched path has none: its name must not become a label."""
    route: str = getattr(scope.get("route"), "path", "none")
    # Of a router that is included FastAPI tells the path without the prefix.
    if scope["path"].startswith(PREFIX) and route != "none" and not route.startswith(PREFIX):
        return PREFIX + route
    return route


def create_app(
    settings: Settings,
    new_id: Callable[[], UUID] = uuid4,
    on_failure: Callable[[], None] = lambda: None,
    on_end: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The application; it connects when it starts to serve. `on_failure`: what it does in the background has ended, so
    that it should be ended itself and started again. `on_end`: it serves no more, and begins to disconnect."""
    clock = SystemClock()
    guard = Guard.of(settings, clock)
    tracer = open_tracer(settings.tracing, SOURCE, clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        background = Background(on_failure)
        try:
            async with open_backend(settings, background, clock, tracer) as backend:
                guard.on_duty(backend.database, backend.cache, background)
                app.state.backend = backend
                yield
                on_end()
        finally:
            await tracer.close()

    app = _with_routes(lifespan)
    # The last one added is the first to see a request.
    app.add_middleware(PlainRoutes, routes=FIRST)
    app.add_middleware(Gate, guard=guard, settings=settings.api.guard)
    _let_origins_in(app, settings.api)
    app.add_middleware(Measured)
    if tracer is not OFF:
        app.add_middleware(TracedRequests, tracer=tracer, clock=clock, route_of=_route_of)
    app.add_middleware(RequestIds, new_id=new_id)
    app.add_middleware(Aliases, versioned=VERSIONED)
    if settings.api.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.api.trusted_proxies))
    return app


def _with_routes(lifespan: Lifespan[FastAPI]) -> FastAPI:
    """All that can be asked for, and nothing before it yet."""
    app = FastAPI(
        title="Riskee",
        version=__version__,
        description=document.DESCRIPTION,
        openapi_tags=document.TAGS,
        # The name of the handler: what generated clients call the operation.
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # A path with a slash too many is none: a redirect would answer 307 where nothing is.
        redirect_slashes=False,
        # Metrics are Prometheus' here; FastAPI would look for OpenTelemetry at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    problems.install(app)
    app.router.routes.extend(FIRST)
    for router in VERSIONED:
        app.include_router(router, prefix=PREFIX)
    for router in PLAIN:
        app.include_router(router)
    app.mount("/dashboard", StaticFiles(directory=DASHBOARD, html=True), name="dashboard")
    app.mount("/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")
    app.add_route("/", _to_dashboard, include_in_schema=False)
    app.add_route("/dashboard", _to_dashboard, include_in_schema=False)
    app.add_route("/docs", _docs, include_in_schema=False)
    document.complete(app)
    return app


def _let_origins_in(app: FastAPI, settings: ApiSettings) -> None:
    """Pages of these origins may read answers; without any, none but the API's own."""
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=_SENT,
            expose_headers=_SHOWN,
        )


async def _to_dashboard(_request: object) -> RedirectResponse:
    return RedirectResponse("/dashboard/")


async def _docs(_request: object) -> HTMLResponse:
    """FastAPI's page, with Swagger's files served from here: it works without the internet."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Riskee API",
        swagger_js_url="/swagger/swagger-ui-bundle.js",
        swagger_css_url="/swagger/swagger-ui.css",
        swagger_favicon_url="/swagger/favicon-32x32.png",
    )
    page.headers[POLICY] = policy_with_scripts_of(bytes(page.body).decode())
    return page
