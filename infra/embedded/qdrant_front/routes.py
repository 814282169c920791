"""The routes: Qdrant's paths, bodies and answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.embedded.qdrant_front import requests as bodies
from infra.embedded.qdrant_front.collection import Collection
from infra.embedded.qdrant_front.refusal import RequestError, unsupported
from infra.embedded.qdrant_front.store import Store

# The client compares this with its own version: same major, minor at most one apart.
VERSION = "1.20.0"
IDLE_SECONDS = 2.0
_COMPLETED = {"operation_id": 0, "status": "completed"}
_TIME_BETWEEN_TIDYING = 1.0

BodyT = TypeVar("BodyT")
Endpoint = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger("qdrant_front")


class Front:
    """The HTTP side of a store. Requests run one after the other: the engine holds the interpreter's lock anyway."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._last_request = clock()

    def app(self) -> Starlette:
        """The ASGI application; it closes the store when it ends."""
        one = "/collections/{name}"
        return Starlette(
            routes=[
                Route("/", _version),
                *(Route(path, _alive) for path in ("/healthz", "/livez", "/readyz")),
                Route("/collections", self._answering(self._names)),
                Route(f"{one}/exists", self._answering(self._exists)),
                Route(one, self._answering(self._create), methods=["PUT"]),
                Route(one, self._answering(self._delete), methods=["DELETE"]),
                Route(one, self._on_collection(lambda collection, _body: collection.info())),
                Route(f"{one}/index", self._writing(bodies.CreateIndex, Collection.create_index), methods=["PUT"]),
                Route(f"{one}/points", self._writing(bodies.Upsert, Collection.upsert), methods=["PUT"]),
                Route(f"{one}/points", self._reading(bodies.Retrieve, Collection.retrieve), methods=["POST"]),
                Route(f"{one}/points/delete", self._writing(bodies.Delete, Collection.delete), methods=["POST"]),
                Route(f"{one}/points/query", self._reading(bodies.Query, Collection.query), methods=["POST"]),
                Route(f"{one}/points/scroll", self._reading(bodies.Scroll, Collection.scroll), methods=["POST"]),
                Route(f"{one}/points/count", self._reading(bodies.Count, Collection.count), methods=["POST"]),
            ],
            exception_handlers={404: _no_route, 405: _no_route, RequestError: _refused, Exception: _failed},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        tidying = asyncio.create_task(self._tidy_when_idle())
        try:
            yield
        finally:
            tidying.cancel()
            with suppress(asyncio.CancelledError):
                await tidying
            self._store.close()

    async def _tidy_when_idle(self) -> None:
        while True:
            await asyncio.sleep(_TIME_BETWEEN_TIDYING)
            if self._clock() - self._last_request >= IDLE_SECONDS:
                self._store.tidy()

    def _answering(self, handle: Callable[[str, bytes], Any]) -> Endpoint:
        """An endpoint that gives the collection's name and the body to `handle` and wraps what it returns."""

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            self._last_request = began = self._clock()
            result = handle(request.path_params.get("name", ""), body)
            return _json({"result": result, "status": "ok", "time": self._clock() - began})

        return endpoint

    def _on_collection(self, handle: Callable[[Collection, bytes], Any]) -> Endpoint:
        return self._answering(lambda name, body: handle(self._store.get(name), body))

    def _reading(self, kind: type[BodyT], method: Callable[[Collection, BodyT], Any]) -> Endpoint:
        return self._on_collection(lambda collection, body: method(collection, bodies.decode(body, kind)))

    def _writing(self, kind: type[BodyT], method: Callable[[Collection, BodyT], None]) -> Endpoint:
        def write(collection: Collection, body: bytes) -> dict[str, Any]:
            method(collection, bodies.decode(body, kind))
            return _COMPLETED

        return self._on_collection(write)

    def _names(self, _name: str, _body: bytes) -> dict[str, Any]:
        return {"collections": [{"name": name} for name in self._store.names()]}

    def _exists(self, name: str, _body: bytes) -> dict[str, bool]:
        return {"exists": self._store.exists(name)}

    def _create(self, name: str, body: bytes) -> bool:
        self._store.create(name, bodies.decode(body, bodies.CreateCollection).vectors)
        return True

    def _delete(self, name: str, _body: bytes) -> bool:
        return self._store.delete(name)


async def _version(_request: Request) -> Response:
    return _json({"title": "qdrant - vector search engine (embedded front)", "version": VERSION})


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("healthz check passed")


async def _no_route(request: Request, _error: Exception) -> Response:
    return await _refused(request, unsupported(f"{request.method} {request.url.path}"))


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RequestError) else 500
    return _json({"result": None, "status": {"error": str(error)}, "time": 0.0}, status)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request_failed", method=request.method, path=request.url.path, error=repr(error))
    return _json({"result": None, "status": {"error": f"Service internal error: {error}"}, "time": 0.0}, 500)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")
