"""The children of the supervisor: started and waited for, stopped and waited for."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.processes import Group, Process
from infra.embedded.readiness import NotReadyError
from infra.embedded.supervisor import ChildState, Supervisor
from riskee.errors import FatalError

Progress = Callable[[str, str], None]
"""Called with a process' name (or `stack`) and what has just happened to it, for people to read."""

POLL_SECONDS = 0.1
STOP_SECONDS = 45.0
READY_SECONDS: Mapping[Group, float] = {"server": 60.0, "service": 180.0}
# So many failed starts in a row are taken for a lasting fault while someone waits.
HOPELESS_RESTARTS = 3
STOPPED_STATES = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})


@dataclass(frozen=True)
class Children:
    """What the supervisor runs. `log_path` tells where a process writes."""

    supervisor: Supervisor
    log_path: Callable[[str], Path]

    def start(self, processes: Sequence[Process], progress: Progress) -> None:
        """Start all, then ask each until it answers. Raises FatalError for one that does not become ready."""
        children = {child.name: child for child in self.supervisor.children()}
        restarts_before = {name: child.restarts for name, child in children.items()}
        for process in processes:
            if children[process.name].state != "RUNNING":
                self.supervisor.start(process.name)
                progress(process.name, "starting")
        waiting = list(processes)
        deadline = time.monotonic() + max((READY_SECONDS[process.group] for process in processes), default=0.0)
        while waiting:
            children = {child.name: child for child in self.supervisor.children()}
            for process in list(waiting):
                problem = _not_ready(process, children[process.name])
                if problem is None:
                    waiting.remove(process)
                    progress(process.name, f"ready on port {process.port}" if process.port else "ready")
                elif time.monotonic() > deadline or _hopeless(children[process.name], restarts_before):
                    raise self._did_not_start(process, children[process.name], problem)
            time.sleep(POLL_SECONDS if waiting else 0)

    def stop(self, names: set[str]) -> None:
        """Stop them all at once and wait. supervisord kills what does not stop in its time."""
        for name in names:
            self.supervisor.stop(name)
        deadline = time.monotonic() + STOP_SECONDS
        while left := [c for c in self.supervisor.children() if c.name in names and c.state not in STOPPED_STATES]:
            if time.monotonic() > deadline:
                raise FatalError(f"{left[0].name} (pid {left[0].pid}) does not stop, even killed", "look at its disk")
            time.sleep(POLL_SECONDS)

    def _did_not_start(self, process: Process, child: ChildState, problem: str) -> FatalError:
        log = self.log_path(process.name)
        tail = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
        if any("No space left on device" in line for line in tail):
            return FatalError(f"{process.name} cannot start: the disk is full", "free some space and try again")
        cause = f"{process.name} does not become ready ({child.state}: {problem})"
        return FatalError("\n".join([cause, *tail]), f"the whole log is {log}")


def _not_ready(process: Process, child: ChildState) -> str | None:
    """Why the process cannot be used yet; None when it can."""
    if child.state != "RUNNING":
        return child.description or child.state
    try:
        process.ready()
    except NotReadyError as error:
        return str(error)
    return None


def _hopeless(child: ChildState, before: Mapping[str, int]) -> bool:
    return child.state == "FATAL" or child.restarts - before.get(child.name, 0) >= HOPELESS_RESTARTS
