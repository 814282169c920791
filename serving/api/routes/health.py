"""Whether the process lives and can serve, and its metrics."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from riskee.access.exposure import is_open
from riskee.telemetry import EXPOSITION_TYPE, exposition
from serving.api.answers import HealthAnswer, health_answers
from serving.api.replies import backend_of, reply

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> Response:
    """The process answers."""
    return reply({"status": "ok"})


@router.get("/health/ready", responses=health_answers())
async def ready(request: Request) -> Response:
    """Whether predictions can be served, and the state of each dependency.

    Either of the cache and the database is enough to serve; with one away the status is `degraded`.
    """
    backend = backend_of(request)
    found = await backend.check()
    serving = "ok" in (found["database"], found["redis"])
    body = HealthAnswer(
        service="api",
        status="ok" if set(found.values()) == {"ok"} else "degraded" if serving else "unavailable",
        access="open" if is_open(backend.settings) else "credentials",
        dependencies=found,
    )
    return reply(body, HTTPStatus.OK if serving else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, response_class=Response)
async def metrics() -> Response:
    """Prometheus' metrics of this process."""
    return Response(exposition(), media_type=EXPOSITION_TYPE)
