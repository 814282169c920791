"""Starts one of the embedded fronts as the process it is in production, for the tests of the fronts themselves."""

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_READY_SECONDS = 120


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FrontServer:
    """`python -m <module> --host 127.0.0.1 --port <free> …`, ready when the constructor returns."""

    def __init__(self, module: str, arguments: Sequence[str], ready_path: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--host", "127.0.0.1", "--port", str(self.port), *arguments],
            cwd=REPOSITORY,
        )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers(ready_path):
            assert self._process.poll() is None, f"{module} ended with {self._process.returncode}"
            assert time.monotonic() < deadline, f"{module} is not ready after {_READY_SECONDS} s"
            time.sleep(0.05)

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal the process and return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self._process.wait(timeout=60)
