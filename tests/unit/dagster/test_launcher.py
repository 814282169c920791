"""Whether a run's worker lives: asked of the code server, then of the machine. No server answers here."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import WorkerStatus
from dagster._grpc.types import CanCancelExecutionResult
from dagster._serdes import serialize_value

from riskee_dagster.launcher import HOST_TAG, WatchedRunLauncher, is_alive, worker_of


class CodeServer:
    """Answers whether it executes a run; None: not at all."""

    def __init__(self, host: str, knows: bool | None) -> None:
        self.host, self.knows = host, knows

    def can_cancel_execution(self, _request: object, timeout: int) -> str:
        if self.knows is None:
            raise DagsterUserCodeUnreachableError("no answer")
        return serialize_value(CanCancelExecutionResult(can_cancel=self.knows))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def health(
    instance: dg.DagsterInstance, server: CodeServer | None, pid: int | None, tags: dict[str, str] | None = None
) -> WorkerStatus:
    launcher = WatchedRunLauncher()
    launcher.register_instance(instance)
    launcher._get_grpc_client_for_termination = lambda _run_id: server  # type: ignore[method-assign]
    run = instance.create_run_for_job(_job(), tags=tags, status=dg.DagsterRunStatus.STARTED)
    if pid is not None:
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(pid))
    first = launcher.check_run_worker_health(run).status
    again = launcher.check_run_worker_health(run).status
    # With a code server a run is given up only the second time that this answers.
    assert first is (WorkerStatus.RUNNING if server else again)
    return again


def _job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None:
        pass

    @dg.job
    def empty() -> None:
        nothing()

    return empty


def test_it_can_be_asked() -> None:
    assert WatchedRunLauncher().supports_check_run_worker_health


@pytest.mark.parametrize(
    ("host", "knows", "lives", "status"),
    [
        ("127.0.0.1", True, False, WorkerStatus.RUNNING),  # its word counts: it reports the end itself
        ("127.0.0.1", False, True, WorkerStatus.RUNNING),  # restarted; the worker survived it
        ("127.0.0.1", False, False, WorkerStatus.FAILED),
        ("127.0.0.1", None, True, WorkerStatus.RUNNING),
        ("127.0.0.1", None, False, WorkerStatus.RUNNING),  # nobody could start it again
        ("code-server", True, False, WorkerStatus.RUNNING),
        ("code-server", False, False, WorkerStatus.NOT_FOUND),
        ("code-server", None, False, WorkerStatus.RUNNING),  # in doubt
    ],
)
def test_health(
    instance: dg.DagsterInstance, dead: int, host: str, knows: bool | None, lives: bool, status: WorkerStatus
) -> None:
    assert health(instance, CodeServer(host, knows), os.getpid() if lives else dead) is status


def test_a_code_server_that_went_away_again_is_waited_for(instance: dg.DagsterInstance, dead: int) -> None:
    server = CodeServer("localhost", False)
    launcher = WatchedRunLauncher()
    launcher.register_instance(instance)
    launcher._get_grpc_client_for_termination = lambda _run_id: server  # type: ignore[method-assign]
    run = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(dead))
    found = []
    for server.knows in (False, None, False, False):
        found.append(launcher.check_run_worker_health(run).status.value)
    assert found == ["RUNNING", "RUNNING", "RUNNING", "FAILED"]


def test_a_worker_that_has_not_told_its_process_is_in_doubt(instance: dg.DagsterInstance) -> None:
    assert health(instance, CodeServer("localhost", False), None) is WorkerStatus.RUNNING


@pytest.mark.parametrize(
    ("host", "lives", "status"),
    [
        (socket.gethostname(), True, WorkerStatus.RUNNING),
        (socket.gethostname(), False, WorkerStatus.FAILED),
        ("elsewhere", False, WorkerStatus.RUNNING),
    ],
)
def test_a_run_of_the_bootstrap(
    instance: dg.DagsterInstance, dead: int, host: str, lives: bool, status: WorkerStatus
) -> None:
    assert health(instance, None, os.getpid() if lives else dead, {HOST_TAG: host}) is status


def test_the_latest_worker_counts(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(_job())
    assert worker_of(instance, run.run_id) is None
    for pid in (11, 12):
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(pid))
    instance.report_engine_event("something else", run)
    found = worker_of(instance, run.run_id)
    assert found is not None
    assert found[0] == 12


def stat_files(folder: Path, state: str, started_seconds: float) -> Path:
    """A made-up /proc with process 7, of a machine that was started at second 1,000."""
    (folder / "7").mkdir()
    fields: list[Any] = [state, *range(18), int(started_seconds * os.sysconf("SC_CLK_TCK")), 0]
    (folder / "7" / "stat").write_text(f"7 (a (b) c) {' '.join(map(str, fields))}\n")
    (folder / "stat").write_text("cpu 1 2\nbtime 1000\nprocesses 5\n")
    return folder


@pytest.mark.parametrize(
    ("state", "started", "alive"), [("S", 50, True), ("R", 59, True), ("Z", 50, False), ("S", 500, False)]
)
def test_a_zombie_and_a_later_process_of_the_same_id_are_not_the_worker(
    tmp_path: Path, state: str, started: float, alive: bool
) -> None:
    assert is_alive(7, 1060, stat_files(tmp_path, state, started)) is alive


def test_a_real_process_and_a_dead_one(dead: int) -> None:
    assert is_alive(os.getpid(), time.time())
    assert not is_alive(dead, time.time())
