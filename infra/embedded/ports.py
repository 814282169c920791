"""Choice of ports: the usual one, or the next free one.

A chosen port is reserved by a lock on `<temp>/riskee-ports-<uid>/<port>` that the guard holds as long as the stack
runs, so that two stacks that start at the same moment do not choose the same port before either listens on it.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from riskee.errors import FatalError

HOST = "127.0.0.1"
USUAL_PORTS: Mapping[str, int] = {
    "postgres": 5432,
    "redis": 6379,
    "nats": 4222,
    "nats-monitor": 8222,
    "qdrant": 6333,
    "ollama": 11434,
    "api": 8000,
    "dagster-webserver": 3000,
    "dagster-code": 4000,
    "ingest": 9101,
    "predict": 9102,
    "record": 9103,
    "explain": 9104,
    "supervisor": 9001,
}
# Where the second of several predictors has its usual port; the others follow.
SECOND_PREDICTOR = 9112
# Settings by which a user asks for one port and no other.
PORT_SETTINGS: Mapping[str, str] = {
    "api": "RISKEE_API__PORT",
    "ingest": "RISKEE_METRICS__INGEST_PORT",
    "predict": "RISKEE_METRICS__PREDICT_PORT",
    "record": "RISKEE_METRICS__RECORD_PORT",
    "explain": "RISKEE_METRICS__EXPLAIN_PORT",
}
TRIES = 500

Reserve = Callable[[int], int | None]


@dataclass(frozen=True)
class Allocation:
    """Ports by name, and the open lock files that reserve them."""

    ports: Mapping[str, int]
    locks: tuple[int, ...]

    def moved(self) -> Iterator[tuple[str, int, int]]:
        """(name, usual port, port) of those that did not get the usual one."""
        for name, port in self.ports.items():
            if port != usual_port(name):
                yield name, usual_port(name), port


def further_predictors(environ: Mapping[str, str]) -> tuple[str, ...]:
    """`predict-2` and so on, as many as the settings ask for; what is no number is left for them to refuse."""
    count = environ.get("RISKEE_PREDICT__PROCESSES", "")
    return tuple(f"predict-{number}" for number in range(2, int(count) + 1)) if count.isdigit() else ()


def is_predictor(name: str) -> bool:
    """Whether a process is one of the predictors."""
    return name.partition("-")[0] == "predict"


def usual_port(name: str) -> int:
    """The port that a process has where nobody else uses it."""
    number = name.removeprefix("predict-")
    return USUAL_PORTS[name] if name in USUAL_PORTS else SECOND_PREDICTOR + int(number) - 2


def port_is_free(port: int) -> bool:
    """Whether nothing listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def reserve(port: int) -> int | None:
    """Lock the port for this stack. Returns the open lock file, or None when it is taken.

    Raises FatalError when the folder of the locks cannot be used, as when another user has made it.
    """
    folder = Path(tempfile.gettempdir()) / f"riskee-ports-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FatalError(
            f"{folder}, which reserves ports, cannot be used: {error.strerror}",
            "remove it, or set TMPDIR to a folder of your own",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if port_is_free(port):
        return lock
    os.close(lock)
    return None


def requested_ports(environ: Mapping[str, str]) -> dict[str, int]:
    """Ports that the user's settings fix. Values that are no port are left for the settings to refuse."""
    return {name: int(environ[key]) for name, key in PORT_SETTINGS.items() if environ.get(key, "").isdigit()}


def allocate(
    remembered: Mapping[str, int],
    requested: Mapping[str, int],
    take: Reserve = reserve,
    further: Sequence[str] = (),
) -> Allocation:
    """Choose a port for each name: the requested, else the remembered, else the usual, else the next free one.

    `further` are predictors besides the one that there always is.

    Raises FatalError when a requested port is in use, or none is free.
    """
    ports: dict[str, int] = {}
    locks: list[int] = []

    def claim(name: str, port: int) -> bool:
        lock = None if port in ports.values() else take(port)
        if lock is None:
            return False
        ports[name] = port
        locks.append(lock)
        return True

    for name, port in requested.items():
        if not claim(name, port):
            raise FatalError(f"port {port} for {name} is in use", f"stop what uses it, or unset {PORT_SETTINGS[name]}")
    # First those that can have their own port, so that a neighbour that must move does not push them away.
    names = (*USUAL_PORTS, *further)
    waiting = [n for n in names if n not in ports and not claim(n, remembered.get(n, usual_port(n)))]
    for name in waiting:
        usual = usual_port(name)
        if not any(claim(name, port) for port in range(usual, usual + TRIES)):
            raise FatalError(f"no free port for {name} from {usual} to {usual + TRIES - 1}", "stop some other stack")
    return Allocation({name: ports[name] for name in names}, tuple(locks))
