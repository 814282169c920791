"""Who did what: a log line for each request that changes something. Never a credential."""

from pathlib import Path

from starlette.types import Scope

from riskee.logs import get_logger, write_apart
from riskee.settings import AuditSettings
from serving.api.security.caller import Caller

LOGGER = "serving.api.audit"
_log = get_logger(LOGGER)


def open_log(settings: AuditSettings, home: Path) -> None:
    """Write the lines to a file of their own where the settings name one. Raises FatalError for one that cannot be."""
    if settings.path:
        write_apart(LOGGER, home / settings.path, settings.file_bytes, settings.full_files)


def note(scope: Scope, caller: Caller, route: str, status: int) -> None:
    """Write the line. Status 0: none was answered."""
    _log.info("audit", outcome="done" if 0 < status < 400 else "failed", **line_of(scope, caller, route, status))


def line_of(scope: Scope, caller: Caller | None, route: str, status: int) -> dict[str, str | int]:
    """What a line says of a request. `route` is the template, not the path: a path may hold anything."""
    client = scope.get("client")
    return {
        "caller": "" if caller is None else caller.id,
        "kind": "unknown" if caller is None else caller.kind,
        "address": client[0] if client else "",
        "method": scope.get("method", "WS"),
        "route": route,
        "status": int(status),
        "request_id": scope["state"].get("request_id", ""),
    }
