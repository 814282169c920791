"""What docker-compose.yml runs in Dagster's image, as processes: its commands through the image's entrypoint, with its
variables, users and instance, on the addresses and folders of a test.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.integration.deployment.servers import HOST, Servers
from tests.integration.front_server import free_port
from tests.integration.materialised import LIMITS
from tests.unit.deployment.compose import DAGSTER, services

_DOCKER = REPOSITORY / "infra" / "docker"
_ENTRYPOINT = ("/bin/sh", "infra/docker/dagster-entrypoint.sh")
_BIN = Path(sys.executable).parent
# Embedding takes most of bootstrap's time, and a few documents show as much as many.
_FEW_DOCUMENTS = f"""
import runpy, sys
from riskee_dagster.defs import documents
vars(documents).update({LIMITS})
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


@dataclass
class Orchestration:
    """Processes of Dagster's image. `code` and `webserver` are ports."""

    servers: Servers
    folder: Path
    vectors: str
    code: int = field(default_factory=free_port)
    webserver: int = field(default_factory=free_port)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.webserver}"

    def start(self, name: str) -> None:
        """Start one as compose does."""
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                self._entered(services()[name]["command"]),
                cwd=REPOSITORY,
                env=self._environment(name),
                stdout=log,
                stderr=log,
            )

    def start_of(self, name: str) -> subprocess.Popen[bytes]:
        """The process that was started."""
        return self._running[name]

    def end(self, name: str) -> None:
        """End one as compose does, if it runs."""
        if process := self._running.pop(name, None):
            process.terminate()
            process.wait(60)

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Start one that ends by itself, and wait for that."""
        return self._wait_for(name, self._entered(services()[name]["command"]))

    def healthy(self, name: str) -> bool:
        """What compose's health check of a service says."""
        kind, *command = services()[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self._wait_for(name, self._here(command)).returncode == 0

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def require_alive(self) -> None:
        """Fails, with the end of its log, where a process has ended with an error."""
        for name, process in self._running.items():
            assert not process.poll(), f"{name}: {self.log(name).read_text()[-3000:]}"

    def stop(self) -> None:
        """End all as compose does."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(60)

    def write_instance(self) -> None:
        """The file that compose mounts, with the port and the folders that are other ones here."""
        text = (_DOCKER / "dagster.yaml").read_text()
        own = {"port: 5432": f"port: {self.servers.postgres}", "/var/lib/riskee/dagster": str(self.folder)}
        for there, here in own.items():
            assert there in text
            text = text.replace(there, here)
        (self.folder / "dagster.yaml").write_text(text)

    def _wait_for(self, name: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=REPOSITORY, env=self._environment(name), capture_output=True, text=True, check=False
        )

    def _entered(self, command: Sequence[str]) -> list[str]:
        return [*_ENTRYPOINT[:1], str(REPOSITORY / _ENTRYPOINT[1]), *self._here(command)]

    def _here(self, command: Sequence[str]) -> list[str]:
        """A command with this machine's programs, addresses and ports."""
        if tuple(command[:2]) == (_ENTRYPOINT[0], f"/app/{_ENTRYPOINT[1]}"):
            return self._entered(command[2:])
        ports = {"3000": str(self.webserver), "4000": str(self.code), "0.0.0.0": HOST}
        here = [ports.get(word, word.replace(":3000/", f":{self.webserver}/")) for word in command]
        program = sys.executable if here[0] == "python" else str(_BIN / Path(here[0]).name)
        if here[1:3] == ["-m", "riskee_dagster.bootstrap"]:
            return [program, "-c", _FEW_DOCUMENTS, *here[1:]]
        return [program, *here[1:]]

    def _environment(self, name: str) -> dict[str, str]:
        own = {key: value for key, value in os.environ.items() if not key.startswith(("RISKEE_", "DAGSTER_"))}
        return own | self._told(name)

    def _told(self, name: str) -> dict[str, str]:
        told = self.servers.environment(name)
        changes = {
            # The checkout's downloads: the history and the embedding model.
            "RISKEE_HOME": str(REPOSITORY / ".riskee"),
            "RISKEE_VECTORS__URL": self.vectors,
            "RISKEE_DAGSTER__URL": self.url,
            "DAGSTER_HOME": str(self.folder),
            "DAGSTER_POSTGRES_HOST": HOST,
            "DAGSTER_CODE_SERVER_HOST": HOST,
            "DAGSTER_CODE_SERVER_PORT": str(self.code),
        }
        assert set(changes) <= set(told), "each stands for one of compose's"
        secret = {"DAGSTER_POSTGRES_PASSWORD_FILE": str(self.servers.secrets / "postgres_dagster")}
        return told | changes | self._folders(told) | secret

    def _folders(self, told: Mapping[str, str]) -> dict[str, str]:
        """Volumes that are folders here."""
        return {
            key: str(self.folder / Path(value).name)
            for key, value in told.items()
            if re.match("/var/lib/(backups|wal)$", value)
        }


@contextmanager
def running_orchestration(servers: Servers, folder: Path, vectors: str) -> Iterator[Orchestration]:
    """Nothing runs at first; what was started is ended when the context is left."""
    assert services(DAGSTER)
    running = Orchestration(servers, folder, vectors)
    running.write_instance()
    try:
        yield running
    finally:
        running.stop()
