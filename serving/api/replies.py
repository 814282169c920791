"""What the handlers share: the backend of a request, and an answer as JSON."""

from http import HTTPStatus

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from serving.api.answers import JSON
from serving.api.backend import Backend

_encoder = msgspec.json.Encoder()


def backend_of(connection: HTTPConnection) -> Backend:
    """What the request's handler works with."""
    backend: Backend = connection.app.state.backend
    return backend


def encoded(answer: object) -> bytes:
    """The answer's JSON."""
    return _encoder.encode(answer)


def ready(body: bytes) -> Response:
    """An answer that is JSON already."""
    return Response(body, media_type=JSON)


def reply(answer: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """The answer as JSON."""
    return Response(_encoder.encode(answer), status_code=status, media_type=JSON)
