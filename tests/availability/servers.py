"""Servers of a test's own on the loopback: each a process that can be killed and started again."""

import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from infra.embedded.readiness import NotReadyError, Probe
from tests.integration.live_processes import free_port

HOST = "127.0.0.1"


@dataclass
class Server:
    """A server's process; its log is `folder/name.log`."""

    name: str
    folder: Path
    command: Sequence[str]
    port: int
    environ: dict[str, str] | None = None
    # Raises NotReadyError until it answers; without, it is enough that it listens.
    probe: Probe | None = None
    stopping: signal.Signals = signal.SIGTERM
    _popen: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environ, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = monotonic() + 60
        while not self._answers():
            assert self._popen.poll() is None, self.log.read_text()[-2000:]
            assert monotonic() < deadline, f"{self.name} is not ready: {self.log.read_text()[-2000:]}"
            sleep(0.05)

    def _answers(self) -> bool:
        if self.probe is None:
            return listens(self.port)
        try:
            self.probe()
        except NotReadyError:
            return False
        return True

    def kill(self) -> None:
        """As the kernel or a failing machine does."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait(10)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._popen is not None:
            self._popen.send_signal(self.stopping)
            self._popen.wait(30)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


@contextmanager
def folder_of_servers() -> Iterator[Path]:
    """A folder that other users may pass, as PostgreSQL's does where the tests are root."""
    folder = Path(tempfile.mkdtemp(prefix="riskee-availability-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def started(*servers: Server) -> Iterator[None]:
    """The servers, one after the other; ended in any case."""
    with ExitStack() as undo:
        for server in servers:
            undo.callback(server.stop)
            server.start()
        yield


def free_ports(count: int) -> list[int]:
    """So many, each another."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)
