"""How many may listen: in this process, and from one address."""

import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from riskee.logs import get_logger
from riskee.settings import StreamSettings
from riskee.telemetry import STREAM_CONNECTIONS, STREAM_ENDED
from serving.api.problems import ProblemError

# File descriptors for everything else: servers, requests, files.
_RESERVED = 256

_log = get_logger(__name__)


class Admission:
    """Counts the connections."""

    def __init__(self, settings: StreamSettings) -> None:
        self._most = min(settings.connections, max(_file_limit() - _RESERVED, 1))
        if self._most < settings.connections:
            _log.warning("too few files for the connections: raise `ulimit -n`", connections=self._most)
        self._most_of_one = settings.connections_per_address
        self._open: Counter[str] = Counter()

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """One connection, for as long as the context lasts. Raises ProblemError where there are enough."""
        self._refuse(address)
        self._open[address] += 1
        try:
            with STREAM_CONNECTIONS.track_inprogress():
                yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def _refuse(self, address: str) -> None:
        if self._open[address] >= self._most_of_one:
            reason = f"{address} has {self._most_of_one} connections, the most that one address may have"
            step = "close some, or raise RISKEE_STREAM__CONNECTIONS_PER_ADDRESS"
            status = HTTPStatus.TOO_MANY_REQUESTS
        elif self._open.total() >= self._most:
            reason = f"this process has {self._most} connections, the most that it takes"
            step = "try again later, or let another process of the API answer"
            status = HTTPStatus.SERVICE_UNAVAILABLE
        else:
            return
        STREAM_ENDED.labels("refused").inc()
        raise ProblemError(status, "too_many_connections", reason, step)


def _file_limit() -> int:
    """How many files this process may open, after asking for as many as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
