"""The live path's own processes, for tests that kill them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from riskee.settings import Settings
from tests.conftest import REPOSITORY

CONSUMERS = ("ingest", "predict", "record")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def environment_of(settings: Settings) -> dict[str, str]:
    """What a process of these settings' home, database and patience is started with; of this process' own settings
    nothing."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    url = settings.database.url.get_secret_value()
    return own | {
        "RISKEE_HOME": str(settings.home),
        "RISKEE_DATABASE__URL": url,
        "RISKEE_REDIS__TIMEOUT_SECONDS": str(settings.redis.timeout_seconds),
    }


@dataclass
class LiveProcesses:
    """Started with the same settings each time; their logs are files in `folder`."""

    settings: Settings
    folder: Path
    changes: Mapping[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        port = {f"RISKEE_METRICS__{name.upper()}_PORT": str(free_port())}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", f"serving.consumers.{name}"],
                cwd=REPOSITORY,
                env=environment_of(self.settings) | port | dict(self.changes),
                stdout=log,
                stderr=log,
            )

    def require_alive(self) -> None:
        """Fails, with the end of its log, where a process has ended by itself."""
        for name, process in self._running.items():
            assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-2000:]

    def kill(self, name: str) -> None:
        """As kill -9 does."""
        self._running[name].send_signal(signal.SIGKILL)
        self._running.pop(name).wait(60)

    def stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self._running.clear()


@contextmanager
def live(settings: Settings, folder: Path, changes: Mapping[str, str]) -> Iterator[LiveProcesses]:
    """All three consumers, with these settings besides; stopped at the end."""
    processes = LiveProcesses(settings, folder, changes)
    try:
        for name in CONSUMERS:
            processes.start(name)
        yield processes
    finally:
        processes.stop()
