"""The API's process."""

import gc
import signal
import socket
import sys
from dataclasses import dataclass

import uvicorn

from riskee.clock import SystemClock
from riskee.errors import FatalError, RiskeeError
from riskee.logs import configure_logs, get_logger
from riskee.settings import ApiSettings, load_settings
from serving.api.app import create_app
from serving.api.security import audit
from serving.api.security.opening import check_opening
from serving.api.server import BACKLOG, server_config
from serving.ending import exit_within

# For connections that end slowly, after uvicorn's own patience with them, and for threads that wait for a server.
_LAST_SECONDS = 10.0

_log = get_logger(__name__)


def _listen(settings: ApiSettings) -> socket.socket:
    """The socket to serve on. Raises FatalError where the address is not this machine's or the port is taken."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # `::` is every address of this machine, those of IPv4 too.
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, settings.port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise FatalError(
            f"port {settings.port} of {host} cannot be used: {error.strerror}",
            "set RISKEE_API__PORT to a free one, and RISKEE_API__HOST to an address of this machine",
        ) from error


@dataclass
class _Failure:
    """Ends the server where what it does in the background has ended: whoever watches the process starts it again."""

    server: uvicorn.Server | None = None
    failed: bool = False

    def __call__(self) -> None:
        self.failed = True
        if self.server is not None:
            self.server.should_exit = True
        exit_within(_LAST_SECONDS, 1)


def _spare_the_collector() -> None:
    """Look for cycles seldom, and never among what the imports made: a look at all that takes a tenth of a second, in
    which nobody is answered."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def main() -> None:
    """Serve until SIGTERM or SIGINT; exits with 1 where that is not possible, or is no more."""
    failure = _Failure()
    try:
        settings = load_settings()
        configure_logs("api", settings.log_level)
        audit.open_log(settings.api.audit, settings.home)
        check_opening(settings, SystemClock())
        app = create_app(settings, on_failure=failure, on_end=lambda: exit_within(_LAST_SECONDS, 0))
        listener = _listen(settings.api)
    except RiskeeError as error:
        configure_logs("api", "INFO")
        _log.critical("cannot go on", error=str(error))
        sys.exit(1)
    config = server_config(app, settings)
    # uvicorn finishes its work, then raises the signal again for whoever started it: that end is a good one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    failure.server = uvicorn.Server(config)
    _spare_the_collector()
    failure.server.run(sockets=[listener])
    if failure.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
