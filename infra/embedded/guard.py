"""The parent of supervisord: when that ends, however it ends, no process of the stack survives.

It is a "child subreaper": the kernel hands it every process whose parent died, so that even a run worker of a killed
Dagster server is found. It also holds the locks that mark the home as running and its ports as reserved; the kernel
releases them with the process. Started as `python -m infra.embedded.guard PID_FILE supervisord …`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from infra.embedded.files import write_private

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 8.0


def _become_subreaper() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _reap() -> bool:
    """Collect the dead. Returns whether a child is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def _signal_children(number: signal.Signals) -> None:
    for pid in _children():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _end_all() -> None:
    """Ask the rest to end, then kill. The children of the killed come to us in turn, hence the loop."""
    deadline = time.monotonic() + GRACE_SECONDS
    _signal_children(signal.SIGTERM)
    while _reap():
        if time.monotonic() > deadline:
            _signal_children(signal.SIGKILL)
        time.sleep(0.05)


def _wait_for(supervisor: int) -> None:
    """Return when supervisord has ended; on the way collect orphans that died."""
    while True:
        pid, _ = os.waitpid(-1, 0)
        if pid == supervisor:
            return


def main(pid_file: Path, command: list[str]) -> None:
    """Step into the background, run the command, wait for its end, end what it left."""
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    write_private(pid_file, str(os.getpid()))
    _become_subreaper()
    command = ["setpriv", "--pdeathsig", "TERM", "--", *command]
    supervisor = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: supervisor.send_signal(signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _wait_for(supervisor.pid)
    _end_all()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
