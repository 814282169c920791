"""The routes: Ollama's paths, bodies and answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from infra.embedded.ollama_front import payloads
from infra.embedded.ollama_front.answers import Shape, Tally, as_message, as_response, header
from infra.embedded.ollama_front.engine import Engine, Job
from infra.embedded.ollama_front.library import Library, full_name
from infra.embedded.ollama_front.refusal import ApiError

VERSION = "0.6.3-embedded"
Endpoint = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger("ollama_front")


def _now() -> datetime:
    return datetime.now(UTC)


class Front:
    """The HTTP side of an engine and a library of models."""

    def __init__(
        self,
        engine: Engine,
        library: Library,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._engine = engine
        self._library = library
        self._clock = clock
        self._now = now

    def app(self) -> Starlette:
        """The ASGI application; it closes the engine when it ends."""
        return Starlette(
            routes=[
                Route("/", _alive),
                Route("/api/version", _version),
                Route("/api/tags", self._tags),
                Route("/api/ps", self._ps),
                Route("/api/show", self._show, methods=["POST"]),
                Route("/api/chat", self._generating(payloads.Chat, as_message), methods=["POST"]),
                Route("/api/generate", self._generating(payloads.Generate, as_response), methods=["POST"]),
            ],
            exception_handlers={404: _no_route, 405: _no_route, ApiError: _refused, Exception: _failed},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self._engine.close()

    async def _tags(self, _request: Request) -> Response:
        return _json({"models": self._library.listing()})

    async def _show(self, request: Request) -> Response:
        return _json(self._library.show(payloads.decode(await request.body(), payloads.Show).model))

    async def _ps(self, _request: Request) -> Response:
        loaded = self._engine.loaded
        if loaded is None:
            return _json({"models": []})
        left = min(loaded.expires_at - self._clock(), timedelta(days=36_500).total_seconds())
        running = {
            **self._library.describe(loaded.model),
            "expires_at": (self._now() + timedelta(seconds=left)).isoformat(),
            "size_vram": 0,
            "context_length": loaded.context_tokens,
        }
        return _json({"models": [running]})

    def _generating(self, kind: type[payloads.Chat] | type[payloads.Generate], shape: Shape) -> Endpoint:
        """The endpoint of `/api/chat` or `/api/generate`: the two differ in their bodies and in where the text is."""

        async def endpoint(request: Request) -> Response:
            body: payloads.Chat | payloads.Generate = payloads.decode(await request.body(), kind)
            lines = self._lines(self._submit(body), shape)
            if body.stream is False:
                return await _collected(request, lines, shape)
            # Wait for the first line, so that a request that fails at once gets its HTTP status.
            first = await anext(lines)
            return StreamingResponse(_ndjson(first, lines), media_type="application/x-ndjson")

        return endpoint

    def _submit(self, body: payloads.Chat | payloads.Generate) -> Job:
        job = Job(
            model=full_name(body.model),
            file=self._library.find(body.model),
            request=payloads.completion_request(body) if body.turns() else None,
            context_tokens=payloads.context_tokens(body.options),
            keep_alive=payloads.keep_alive_seconds(body.keep_alive),
        )
        return self._engine.submit(job)

    async def _lines(self, job: Job, shape: Shape) -> AsyncIterator[dict[str, Any]]:
        """Answer objects; the last has `done` and the statistics. Raises ApiError when the generation fails."""
        began, tally = self._clock(), Tally()
        async for chunk in job:
            if text := tally.text_of(chunk):
                yield {**header(job.model, self._now()), **shape(text), "done": False}
        yield {**header(job.model, self._now()), **shape(""), **tally.statistics(job, self._clock() - began)}


async def _collected(request: Request, lines: AsyncIterator[dict[str, Any]], shape: Shape) -> Response:
    """All lines as one answer; the generation stops when the client hangs up."""

    async def collect() -> dict[str, Any]:
        collected = [line async for line in lines]
        text = "".join(line.get("response", line.get("message", {}).get("content", "")) for line in collected)
        return {**collected[-1], **shape(text)}

    collecting, hanging_up = asyncio.create_task(collect()), asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait({collecting, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        if not collecting.done():
            return Response(status_code=499)
        return _json(collecting.result())
    finally:
        collecting.cancel()
        hanging_up.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _ndjson(first: dict[str, Any], lines: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(first) + b"\n"
    try:
        async for line in lines:
            yield msgspec.json.encode(line) + b"\n"
    except ApiError as error:
        yield msgspec.json.encode({"error": error.cause}) + b"\n"


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("Ollama is running")


async def _version(_request: Request) -> Response:
    return _json({"version": VERSION})


async def _no_route(request: Request, _error: Exception) -> Response:
    known = request.url.path.startswith("/api/")
    cause = f"{request.method} {request.url.path} is not supported by the embedded LLM server"
    return _json({"error": cause}, 501 if known else 404)


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, ApiError) else 500
    return _json({"error": str(error)}, status)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request_failed", method=request.method, path=request.url.path, error=repr(error))
    return _json({"error": f"internal error: {error}"}, 500)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")
