"""What the handlers share: the backend of a request, and an answer as JSON, with what a client may keep of it."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from serving.api.answers import JSON
from serving.api.backend import Backend
from serving.api.ready import REVALIDATE
from serving.api.security.caller import Caller
from serving.api.tags import tag_of

# All answers are the caller's own: no shared cache may keep them.
MINUTE = "private, max-age=60"
HOUR = "private, max-age=3600"
NEVER = "no-store"
_encoder = msgspec.json.Encoder()


def backend_of(connection: HTTPConnection) -> Backend:
    """What the request's handler works with."""
    backend: Backend = connection.app.state.backend
    return backend


def caller_of(connection: HTTPConnection) -> str:
    """Whose request it is: what is kept for one caller is not another's."""
    caller: Caller = connection.scope["state"]["caller"]
    return f"{caller.kind}:{caller.id}"


def encoded(answer: object) -> bytes:
    """The answer's JSON."""
    return _encoder.encode(answer)


def reply(answer: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """The answer as JSON, not to be kept."""
    told = {"Cache-Control": NEVER, **(headers or {})}
    return Response(encoded(answer), status_code=status, media_type=JSON, headers=told)


def kept(request: Request, answer: object, caching: str = REVALIDATE) -> Response:
    """The answer as JSON with an ETag, or 304 where the client has it already."""
    body = encoded(answer)
    return kept_body(request, body, tag_of(body), caching)


def kept_body(request: Request, body: bytes, tag: str, caching: str = REVALIDATE) -> Response:
    """As `kept`, of a body that is JSON already, with its tag (RFC 9110, 13.1.2)."""
    headers = {"ETag": tag, "Cache-Control": caching}
    known = request.headers.get("if-none-match")
    if known is not None and _names(known, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def _names(known: str, tag: str) -> bool:
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return tag in tags or "*" in tags
