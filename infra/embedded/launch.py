"""Start of the guard, which starts supervisord, and the question whether it runs."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from infra.embedded.files import Home
from infra.embedded.locks import try_lock
from infra.embedded.ports import HOST, Allocation
from riskee.errors import FatalError

POLL_SECONDS = 0.05
# Others look whether the lock is held by taking it for an instant.
LOCK_PATIENCE_SECONDS = 2.0


def is_running(home: Home) -> bool:
    """Whether a guard holds the home."""
    try:
        descriptor = os.open(home.run / "stack.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def child_environment(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    """What every child gets: the caller's environment, the home, and nothing that would steer PostgreSQL or Python."""
    unproxied = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), HOST, "localhost"]))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTHON"))}
    return inherited | {
        "RISKEE_HOME": str(home.root),
        "DAGSTER_HOME": str(home.dagster),
        # workspace.yaml reads these two.
        "DAGSTER_CODE_SERVER_HOST": HOST,
        "DAGSTER_CODE_SERVER_PORT": str(ports["dagster-code"]),
        # A run over years writes an event for each day: together, not one by one.
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": unproxied,
        "no_proxy": unproxied,
        # Fewer malloc arenas: with many threads the default holds on to memory that nobody uses.
        "MALLOC_ARENA_MAX": "2",
    }


def launch(home: Home, repo_root: Path, allocation: Allocation) -> None:
    """Start the guard and hand it the locks of the home and of the ports."""
    lock = _hold_home(home)
    supervisord = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(home.run / "supervisord.conf")]
    try:
        with (home.logs / "guard.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "infra.embedded.guard", str(home.run / "guard.pid"), *supervisord],
                check=True,
                cwd=repo_root,
                env=child_environment(home, allocation.ports),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock, *allocation.locks),
            )
    finally:
        for descriptor in (lock, *allocation.locks):
            os.close(descriptor)


def wait_until_ended(home: Home, seconds: float) -> bool:
    """Wait for the guard to let go of the home. Returns whether it did."""
    deadline = time.monotonic() + seconds
    while is_running(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def terminate(home: Home) -> None:
    """Ask the guard to end the stack: for a supervisord that does not answer."""
    try:
        os.kill(int((home.run / "guard.pid").read_text()), signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        return


def _hold_home(home: Home) -> int:
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while (lock := try_lock(home.run / "stack.lock")) is None:
        if time.monotonic() > deadline:
            raise FatalError(f"the stack of {home.root} is running already", "`riskee down` stops it")
        time.sleep(POLL_SECONDS)
    return lock
