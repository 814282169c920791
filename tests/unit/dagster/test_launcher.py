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

from riskee_dagster.launcher import HOST_TAG, WORKER_TAG, WatchedRunLauncher, is_alive, worker_of, worker_tags


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
    assert worker_of(instance, run.run_id) == 12


def stat_files(folder: Path, state: str, ticks: int) -> Path:
    """A made-up /proc with process 7."""
    (folder / "7").mkdir()
    fields: list[Any] = [state, *range(18), ticks, 0]
    (folder / "7" / "stat").write_text(f"7 (a (b) c) {' '.join(map(str, fields))}\n")
    (folder / "stat").write_text("cpu 1 2\n")
    return folder


@pytest.mark.parametrize(
    ("state", "ticks", "tag", "alive"),
    [
        ("S", 50, "7:50", True),
        ("R", 50, None, True),  # never noted: in doubt
        ("S", 50, "8:20", True),  # of the worker of the run that this one repeats
        ("Z", 50, "7:50", False),
        ("S", 500, "7:50", False),
        ("Z", 50, None, False),
    ],
)
def test_a_zombie_and_a_later_process_of_the_same_id_are_not_the_worker(
    tmp_path: Path, state: str, ticks: int, tag: str | None, alive: bool
) -> None:
    assert is_alive(7, tag, stat_files(tmp_path, state, ticks)) is alive


def test_without_proc_every_worker_is_in_doubt(tmp_path: Path, dead: int) -> None:
    assert is_alive(dead, f"{dead}:5", tmp_path)
    assert worker_tags(os.getpid(), tmp_path) == {}


def test_a_real_process_and_a_dead_one(dead: int) -> None:
    tag = worker_tags(os.getpid())[WORKER_TAG]
    assert is_alive(os.getpid(), tag)
    assert not is_alive(os.getpid(), f"{tag}1")
    assert not is_alive(dead, None)


def test_a_step_of_the_clock_kills_no_worker(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event of its start is an hour older than the kernel says that the process is."""
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() - 3600)
    assert health(instance, None, os.getpid(), {HOST_TAG: socket.gethostname()}) is WorkerStatus.RUNNING


def test_a_worker_is_noted_while_its_code_server_knows_it(instance: dg.DagsterInstance) -> None:
    """Once the code server is gone, another process with the worker's id is not taken for it."""
    server = CodeServer("localhost", True)
    launcher = WatchedRunLauncher()
    launcher.register_instance(instance)
    launcher._get_grpc_client_for_termination = lambda _run_id: server  # type: ignore[method-assign]
    run = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(os.getpid()))
    launcher.check_run_worker_health(run)
    noted = instance.get_run_by_id(run.run_id)
    assert noted is not None
    assert noted.tags.items() >= worker_tags(os.getpid()).items()
    server.knows = False
    assert [launcher.check_run_worker_health(noted).status.value for _ in range(2)] == ["RUNNING", "RUNNING"]
    instance.add_run_tags(run.run_id, {WORKER_TAG: f"{os.getpid()}:1"})
    other = instance.get_run_by_id(run.run_id)
    assert other is not None
    # Given up only the second time that the code server answers.
    assert [launcher.check_run_worker_health(other).status.value for _ in range(2)] == ["RUNNING", "FAILED"]
