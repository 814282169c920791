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
from serving.api.requests import request_id
from serving.api.security.scopes import methods_of

MEDIA_TYPE = "application/problem+json"
# A server that is away is asked again about as often.
RETRY_AFTER_SECONDS = 2
_TYPE_PREFIX = "urn:riskee:problem:"

# Of many things that are wrong with a request, as many are told.
_TOLD = 10
_NEXT_STEPS = {
    HTTPStatus.NOT_FOUND: "/docs lists the routes; they live under /v1",
    HTTPStatus.METHOD_NOT_ALLOWED: "use one of the methods in the header Allow; /docs lists the routes",
}

_log = get_logger(__name__)


class ProblemError(Exception):
    """An answer that is not what was asked for. `kind` is the stable name that a program checks."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        cause: str,
        next_step: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(cause)
        self.status = status
        self.kind = kind
        self.cause = cause
        self.next_step = next_step
        self.headers = headers or {}
        self.more = more

    def body(self) -> dict[str, object]:
        """The members of the problem document."""
        return {
            "type": _TYPE_PREFIX + self.kind,
            "title": self.kind.replace("_", " ").capitalize(),
            "status": int(self.status),
            "detail": self.cause,
            "next_step": self.next_step,
            "request_id": request_id(),
            **self.more,
        }


def problem_of(error: RiskeeError) -> ProblemError:
    """The product's own errors in HTTP's terms."""
    if isinstance(error, NotFoundError):
        return ProblemError(HTTPStatus.NOT_FOUND, "not_found", error.cause, error.remedy)
    if isinstance(error, PoisonError):
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_input", error.cause, error.remedy)
    if isinstance(error, RetryableError):
        cause, again = without_particulars(error.cause), {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", cause, error.remedy, headers=again)
    return defect()


def without_particulars(cause: str) -> str:
    """What may be told to everybody: not what a server's driver says, which names addresses and users."""
    return cause.partition(": ")[0]


def defect() -> ProblemError:
    """What is told of an error that nobody foresaw."""
    step = "tell whoever runs it the `request_id`: it is in the API's log, with the cause"
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the request met a defect of the API", step)


def respond(problem: ProblemError, path: str) -> Response:
    """The response of a problem."""
    body = msgspec.json.encode({**problem.body(), "instance": path})
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def refused(error: RiskeeError, path: str) -> Response:
    """The response of one of the product's own errors."""
    problem = problem_of(error)
    _log.warning("no answer", path=path, status=int(problem.status), cause=str(error))
    return respond(problem, path)


async def _on_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, ProblemError):
        raise TypeError from error
    return respond(error, request.url.path)


async def _on_riskee_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RiskeeError):
        raise TypeError from error
    return refused(error, request.url.path)


async def _on_validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError from error
    first = error.errors()[:_TOLD]
    details = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in first]
    cause = "; ".join(f"{each['where']}: {each['what']}" for each in details)
    problem = ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, "bad_request", cause, "/docs tells what is expected", errors=details
    )
    return respond(problem, request.url.path)


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError from error
    status = HTTPStatus(error.status_code)
    step = _NEXT_STEPS.get(status, "/docs tells what is expected")
    cause = f"{request.method} {request.url.path}: {status.phrase.lower()}"
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        # The router knows those of the first route alone that has the path.
        headers["Allow"] = ", ".join(methods_of(request.url.path))
    return respond(ProblemError(status, status.name.lower(), cause, step, headers=headers), request.url.path)


async def _on_defect(request: Request, error: Exception) -> Response:
    _log.error("a defect", path=request.url.path, exc_info=error)
    response = respond(defect(), request.url.path)
    # What the gate does not see, of the middleware around it; answered outside of the one that adds this.
    response.headers["X-Request-ID"] = request_id()
    return response


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RiskeeError, _on_riskee_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_defect)
