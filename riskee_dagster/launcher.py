"""Runs whose worker is gone are noticed: Dagster's default launcher, with the health check that it lacks.

The code server marks a run as failed when its worker dies. When the code server died too, or the run was made by the
bootstrap, nobody does: such a run would stay "started" until `dagster/max_runtime`. The daemon's run monitoring asks
this launcher, and `run_retries` then starts the run again.
"""

import socket
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError

# The base of every launcher with a health check; Dagster's own launchers import it from here too.
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

# Who executes a run that no code server started.
HOST_TAG = "riskee/host"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Process id and start of the worker, noted while it is known to live.
WORKER_TAG = "riskee/worker"
PROC = Path("/proc")
_ANSWER_SECONDS = 5


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts runs on the code server and can say whether a run's worker still lives."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        # Runs of which a code server that answers said that it does not execute them.
        self._answered: set[str] = set()
        # Runs whose worker is noted.
        self._noted: set[str] = set()

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING while in doubt: a run that is failed too early would be executed twice.

        Also while the code server is down, or has only just come back: the daemon tries once to repeat a failed run,
        and what it can not start then is never started.
        """
        known = self._known_to_code_server(run)
        if known:
            self._note_worker(run)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        dead = self._cause_of_death(run, known)
        if dead is None or not self._can_be_repeated(run, known):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return dead

    def _note_worker(self, run: DagsterRun) -> None:
        """Note which process the worker is: a later one may get its id, after a restart of the machine for example."""
        if not self._is_here(run) or run.run_id in self._noted:
            return
        worker = worker_of(self._instance, run.run_id)
        if worker is not None and (tags := worker_tags(worker)):
            self._instance.add_run_tags(run.run_id, tags)
            self._noted.add(run.run_id)

    def _cause_of_death(self, run: DagsterRun, known: bool | None) -> CheckRunHealthResult | None:
        if self._is_here(run):
            worker = worker_of(self._instance, run.run_id)
            if worker is None or is_alive(worker, run.tags.get(WORKER_TAG)):
                return None
            return CheckRunHealthResult(WorkerStatus.FAILED, f"its worker, process {worker}, is gone")
        if known is None:
            return None
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server has been restarted and does not know it")

    def _can_be_repeated(self, run: DagsterRun, known: bool | None) -> bool:
        """Whether the code server answered the last time too; runs of the bootstrap are not repeated."""
        if self._code_server(run) is None:
            return True
        if known is None:
            self._answered.discard(run.run_id)
            return False
        before = run.run_id in self._answered
        self._answered.add(run.run_id)
        return before

    def _known_to_code_server(self, run: DagsterRun) -> bool | None:
        """Whether the code server that started the run says that it executes it; None without an answer."""
        client = self._code_server(run)
        if client is None:
            return None
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=_ANSWER_SECONDS)
        except DagsterUserCodeUnreachableError:
            return None
        return deserialize_value(answer, CanCancelExecutionResult).can_cancel

    def _is_here(self, run: DagsterRun) -> bool:
        """Whether the worker is a process of this machine."""
        client = self._code_server(run)
        if client is not None:
            return client.host in _LOOPBACK
        return run.tags.get(HOST_TAG) == socket.gethostname()

    def _code_server(self, run: DagsterRun) -> DagsterGrpcClient | None:
        """The code server that started the run; None for a run that the bootstrap executes, or that has ended."""
        client: DagsterGrpcClient | None = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        return client


def worker_of(instance: DagsterInstance, run_id: str) -> int | None:
    """Process id of a run's latest worker; None before it said so."""
    events = instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT)
    for entry in reversed(events):
        data = entry.get_dagster_event().engine_event_data
        if "pid" in data.metadata:
            return int(str(data.metadata["pid"].value))
    return None


def worker_tags(pid: int, proc: Path = PROC) -> dict[str, str]:
    """The tag that tells a living process from a later one with its id; nothing where that cannot be known."""
    ticks = start_of(pid, proc)
    return {} if ticks is None else {WORKER_TAG: f"{pid}:{ticks}"}


def start_of(pid: int, proc: Path = PROC) -> int | None:
    """When a process started, in the kernel's ticks since the boot; None where it has ended, or without /proc."""
    try:
        # The name, in brackets, may hold anything: state and the rest come after its last bracket.
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int, tag: str | None, proc: Path = PROC) -> bool:
    """Whether a worker still runs, and not a later process of its id; while in doubt it does.

    `tag` is the run's, of this worker or of a former one. No clock is asked: it may be set at any time.
    """
    if not (proc / "stat").exists():
        return True
    ticks = start_of(pid, proc)
    noted_pid, _, noted = (tag or "").partition(":")
    return ticks is not None and (noted_pid != str(pid) or noted == str(ticks))
