"""Who did what: a log line for each request that was denied or that changes something. Never a credential."""

from starlette.types import Scope

from riskee.logs import get_logger
from riskee.telemetry import HTTP_DENIED
from serving.api.security.caller import Caller

_log = get_logger("serving.api.audit")


def note(scope: Scope, caller: Caller | None, route: str, status: int, reason: str = "") -> None:
    """Write the line. `route` is the template, not the path: a path may hold anything. Status 0: none was answered."""
    client = scope.get("client")
    line = {
        "caller": "" if caller is None else caller.id,
        "kind": "unknown" if caller is None else caller.kind,
        "address": client[0] if client else "",
        "method": scope.get("method", "WS"),
        "route": route,
        "status": int(status),
        "request_id": scope["state"].get("request_id", ""),
    }
    if reason:
        _log.warning("audit", outcome="denied", reason=reason, **line)
    else:
        _log.info("audit", outcome="done" if 0 < status < 400 else "failed", **line)


def denied(kind: str) -> None:
    """Count a refusal."""
    HTTP_DENIED.labels(kind).inc()
