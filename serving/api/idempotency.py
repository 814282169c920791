"""POSTs that are done once, however often they are sent: `Idempotency-Key` (IETF draft of the same name).

The key is its caller's own. With the same request it gives the same answer again for an hour; with another one it is
refused, and while the first is still worked on it is too. What failed is not kept: it may succeed when sent again. What
only reads is not kept either, nor what is long: keys must not push the predictions out of the cache's memory.
Where the cache is away the request is done as if it had no key, and the answer says so: nothing that can be asked for
here does harm when it is done twice.
"""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from math import ceil
from typing import Annotated, Any

import msgspec
from fastapi import Header
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.storage import keys
from riskee.storage.cache import Cache
from serving.api.problems import ProblemError
from serving.api.replies import backend_of, caller_of
from serving.api.security.deadlines import Deadlines

_KEY = r"^[A-Za-z0-9_\-]{1,128}$"
_STATUS = "Idempotency-Status"
# For what comes after the longest that a request may take; then its key is free: its process has died.
_TO_KEEP_SECONDS = 10
_TRIES = 2
_KEPT_BYTES = 256 * 1024
_HEADERS = ("content-type", "location", "retry-after")
_log = get_logger(__name__)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=_KEY,
        description="sent again with the same request, it gives the same answer, for an hour: see Idempotency-Status",
    ),
]


class Kept(msgspec.Struct, frozen=True):
    """A request by its digest, and its answer; status 0 while it is worked on."""

    request: str
    status: int = 0
    headers: dict[str, str] = {}
    body: bytes = b""


def changes_nothing(request: Request) -> None:
    """Say of a request that only reads: sent again it is done again, and its answer need not be kept."""
    request.state.changes_nothing = True


class IdempotentRoute(APIRoute):
    """A route whose requests may have a key."""

    def get_route_handler(self) -> Handler:
        """The handler of FastAPI, done once for each key."""
        handle = super().get_route_handler()

        async def once(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if request.method != "POST" or key is None or not re.fullmatch(_KEY, key):
                # A key that is none is refused by the handler, as the document says.
                return await handle(request)
            backend = backend_of(request)
            seconds = ceil(Deadlines(backend.settings.api).longest) + _TO_KEEP_SECONDS
            kept = _Once(backend.cache, caller_of(request), key, await _digest(request), seconds)
            return await kept.answer(request, handle)

        return once


async def _digest(request: Request) -> str:
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return sha256(asked + await request.body()).hexdigest()


@dataclass(frozen=True)
class _Once:
    """One request with its key."""

    cache: Cache
    caller: str
    key: str
    digest: str
    seconds: int

    async def answer(self, request: Request, handle: Handler) -> Response:
        try:
            earlier = await self._begin()
        except RetryableError as error:
            _log.warning("an Idempotency-Key is not looked at", cause=str(error))
            return _marked(await handle(request), "unavailable")
        if earlier is not None:
            return self._again(earlier)
        try:
            response = await handle(request)
        except BaseException:
            await self._forget()
            raise
        if getattr(request.state, "changes_nothing", False):
            await self._forget()
            return _marked(response, "not kept")
        return await self._keep(response)

    async def _begin(self) -> Kept | None:
        """Take the key; answers with what has it already. Raises RetryableError where neither can be had."""
        mine = msgspec.msgpack.encode(Kept(self.digest))
        # What has it may end in between; then the key is free.
        for _ in range(_TRIES):
            if await self.cache.claim(keys.IDEMPOTENCY, mine, self.seconds, **self._parts):
                return None
            body = await self.cache.text(keys.IDEMPOTENCY, **self._parts)
            if body is not None:
                return _earlier(body)
        raise RetryableError("the key was taken and given up while it was looked at", "send it again")

    def _again(self, earlier: Kept) -> Response:
        if earlier.request != self.digest:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "the Idempotency-Key was sent with another request before",
                "make a new key for each new request",
            )
        if not earlier.status:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "in_progress",
                "the request with this Idempotency-Key is still worked on",
                "send it again shortly: then its answer is there",
                headers={"Retry-After": "1"},
            )
        response = Response(earlier.body, earlier.status, earlier.headers)
        return _marked(response, "replayed")

    async def _keep(self, response: Response) -> Response:
        body = bytes(response.body)
        if len(body) > _KEPT_BYTES:
            await self._forget()
            return _marked(response, "too large to be kept")
        headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
        kept = msgspec.msgpack.encode(Kept(self.digest, response.status_code, headers, body))
        try:
            await self.cache.set_text(keys.IDEMPOTENCY, kept, **self._parts)
        except RetryableError:
            return _marked(response, "unavailable")
        return _marked(response, "kept")

    async def _forget(self) -> None:
        try:
            await self.cache.forget(keys.IDEMPOTENCY, **self._parts)
        except RetryableError as error:
            _log.warning("an Idempotency-Key stays taken for minutes", cause=str(error))

    @property
    def _parts(self) -> dict[str, str]:
        return {"caller": self.caller, "name": self.key}


def _earlier(body: bytes | str) -> Kept:
    """What was kept. Raises RetryableError where another version of the product wrote it."""
    try:
        return msgspec.msgpack.decode(body.encode() if isinstance(body, str) else body, type=Kept)
    except msgspec.MsgspecError as error:
        raise RetryableError("the key was used with another version of the API", "make a new key") from error


def _marked(response: Response, how: str) -> Response:
    response.headers[_STATUS] = how
    return response
