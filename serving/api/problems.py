"""Errors as problem details (RFC 9457), each with its cause and the next step."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from riskee.errors import NotFoundError, PoisonError, RetryableError, RiskeeError
from riskee.logs import get_logger

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:riskee:problem:"

_log = get_logger(__name__)


class ProblemError(Exception):
    """An answer that is not what was asked for. `kind` is the stable name that a program checks."""

    def __init__(self, status: HTTPStatus, kind: str, cause: str, next_step: str, **more: object) -> None:
        super().__init__(cause)
        self.status = status
        self.kind = kind
        self.cause = cause
        self.next_step = next_step
        self.more = more

    def body(self) -> dict[str, object]:
        """The members of the problem document."""
        return {
            "type": _TYPE_PREFIX + self.kind,
            "title": self.kind.replace("_", " ").capitalize(),
            "status": int(self.status),
            "detail": self.cause,
            "next_step": self.next_step,
            **self.more,
        }


def problem_of(error: RiskeeError) -> ProblemError:
    """The product's own errors in HTTP's terms."""
    if isinstance(error, NotFoundError):
        return ProblemError(HTTPStatus.NOT_FOUND, "not_found", error.cause, error.remedy)
    if isinstance(error, PoisonError):
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_input", error.cause, error.remedy)
    if isinstance(error, RetryableError):
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", error.cause, error.remedy)
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", error.cause, error.remedy)


def respond(problem: ProblemError, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response of a problem."""
    body = msgspec.json.encode({**problem.body(), "instance": path})
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


async def _on_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, ProblemError):
        raise TypeError from error
    return respond(error, request.url.path)


async def _on_riskee_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RiskeeError):
        raise TypeError from error
    return respond(problem_of(error), request.url.path)


async def _on_validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError from error
    details = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in error.errors()]
    cause = "; ".join(f"{each['where']}: {each['what']}" for each in details)
    problem = ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, "bad_request", cause, "see /docs for what is expected", errors=details
    )
    return respond(problem, request.url.path)


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError from error
    status = HTTPStatus(error.status_code)
    problem = ProblemError(status, status.name.lower(), f"{request.method} {request.url.path}: {error.detail}", "/docs")
    return respond(problem, request.url.path, error.headers)


async def _on_defect(request: Request, error: Exception) -> Response:
    _log.error("a defect", path=request.url.path, exc_info=error)
    problem = ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the request met a defect of the API", "see the API's log"
    )
    return respond(problem, request.url.path)


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RiskeeError, _on_riskee_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_defect)
