"""The services of docker-compose.yml as processes: with its commands and variables, on the addresses of the test's
servers, and without what their image lacks.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.integration.deployment.servers import HOST, Servers
from tests.integration.front_server import free_port
from tests.unit.deployment.compose import services
from tests.unit.deployment.lean import lean_environment


@dataclass
class Services:
    """Running services. `api` is the port of the API."""

    servers: Servers
    folder: Path
    changes: dict[str, str]
    api: int = field(default_factory=free_port)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start one as compose does."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("RISKEE_")}
        command = services()[name]["command"]
        assert command[0] == "python"
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *command[1:]],
                cwd=REPOSITORY,
                env=own | self._told(name) | lean_environment(),
                stdout=log,
                stderr=log,
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.service.log"

    def require_alive(self) -> None:
        """Fails, with the end of its log, where a service has ended by itself."""
        for name, process in self._running.items():
            assert process.poll() is None, f"{name}: {self.log(name).read_text()[-3000:]}"

    def stop(self) -> None:
        """End all as compose does."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(60)

    def _told(self, name: str) -> dict[str, str]:
        ports = {"RISKEE_METRICS__HOST": HOST, f"RISKEE_METRICS__{name.upper()}_PORT": str(free_port())}
        if name == "api":
            ports = {"RISKEE_METRICS__HOST": HOST, "RISKEE_API__HOST": HOST, "RISKEE_API__PORT": str(self.api)}
        return self.servers.environment(name) | ports | self.changes


@contextmanager
def running_services(
    servers: Servers, folder: Path, changes: dict[str, str], names: Sequence[str]
) -> Iterator[Services]:
    """These services; ended when the context is left."""
    running = Services(servers, folder, changes)
    try:
        for name in names:
            running.start(name)
        yield running
    finally:
        running.stop()
