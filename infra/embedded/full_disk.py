"""A plug-in of supervisord: once a full disk has room again, NATS is started anew. Loaded inside supervisord.

A stream whose write failed refuses every message from then on, whatever is freed, until the server starts again; its
health says so. Nothing that was acknowledged is lost.
"""

import http.client
import json
import shutil
import signal
from pathlib import Path
from typing import Any

from supervisor import events

from infra.embedded.ports import HOST
from riskee.messaging.streams import MIB

# With less the next block of a stream would fail as well.
ENOUGH_BYTES = 32 * MIB
# supervisord does nothing else meanwhile.
_TIMEOUT_SECONDS = 0.2
_FAILURE = b"write error"


class FullDiskWatch:
    """Looks every five seconds; the XML-RPC namespace `full_disk`, without methods."""

    def __init__(self, supervisord: Any, home: Path) -> None:
        self._supervisord = supervisord
        self._home = home
        events.subscribe(events.Tick5Event, self._look)

    def _look(self, _event: object) -> None:
        group = self._supervisord.process_groups.get("nats")
        if group is None or not has_room(self._home):
            return
        port = monitor_port(self._home)
        if port is not None and write_failed(port):
            # A signal, not a stop: supervisord starts again what ends by itself.
            group.processes["nats"].signal(signal.SIGTERM)


def monitor_port(home: Path) -> int | None:
    """Where NATS tells its health; None where the file does not say: an exception would end supervisord."""
    try:
        return int(json.loads((home / "run" / "ports.json").read_text())["nats-monitor"])
    except (OSError, ValueError, KeyError):
        return None


def has_room(home: Path) -> bool:
    """Whether NATS could write again. A folder that is gone has none: an exception would end supervisord."""
    try:
        return shutil.disk_usage(home / "data" / "nats").free >= ENOUGH_BYTES
    except OSError:
        return False


def write_failed(port: int) -> bool:
    """Whether NATS says that it could not write. A server that does not answer says nothing."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE and _FAILURE in answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def make_full_disk_watch(supervisord: object, home: str, **_config: str) -> FullDiskWatch:
    """Factory named in supervisord's configuration."""
    return FullDiskWatch(supervisord, Path(home))
