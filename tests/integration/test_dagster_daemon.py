"""Real workers of real runs are killed: each run is marked as failed, and started once more."""

import os
import signal
from collections.abc import Iterator

import dagster as dg
import psutil
import pytest
from sqlalchemy import text

from riskee_dagster.launcher import worker_of
from tests.integration.dagster_daemon import Daemon, running_daemon, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]
# What the documentation promises is a minute; the machine may be busy.
RECOVERY_SECONDS = 180


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with running_daemon("riskee-recovery-") as daemon:
        yield daemon


def kill_while_it_waits(daemon: Daemon, *, code_server_too: bool) -> str:
    """Launch a run, kill its worker in the middle of its first step. Answers the run's id."""
    with daemon.engine.begin() as connection:
        connection.execute(text("LOCK TABLE quotes IN ACCESS EXCLUSIVE MODE"))  # the step waits for it
        run_id = daemon.launch("maintenance")
        wait_for(lambda: daemon.run(run_id).status is dg.DagsterRunStatus.STARTED, 120)
        wait_for(
            lambda: daemon.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START),
            60,
        )
        worker = worker_of(daemon.instance, run_id)
        assert worker is not None
        if code_server_too:
            (code,) = (p for p in daemon.stack.status() if p.name == "dagster-code")
            assert code.pid is not None
            os.kill(code.pid, signal.SIGKILL)
        os.kill(worker[0], signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(worker[0]) or psutil.Process(worker[0]).status() == "zombie", 30)
    return run_id


@pytest.mark.parametrize("code_server_too", [False, True], ids=["worker", "worker and code server"])
def test_a_killed_run_fails_and_is_started_once_more(daemon: Daemon, code_server_too: bool) -> None:
    run_id = kill_while_it_waits(daemon, code_server_too=code_server_too)
    failed = daemon.finished(run_id, RECOVERY_SECONDS)
    assert failed.status is dg.DagsterRunStatus.FAILURE
    (again,) = wait_for(
        lambda: [run for run in daemon.instance.get_runs() if run.parent_run_id == run_id], RECOVERY_SECONDS
    )
    assert daemon.finished(again.run_id, RECOVERY_SECONDS).status is dg.DagsterRunStatus.SUCCESS
    assert [run.run_id for run in daemon.instance.get_runs() if run.root_run_id == run_id] == [again.run_id]


def test_a_worker_that_survives_its_code_server_is_left_to_work(daemon: Daemon) -> None:
    with daemon.engine.begin() as connection:
        connection.execute(text("LOCK TABLE quotes IN ACCESS EXCLUSIVE MODE"))
        run_id = daemon.launch("maintenance")
        wait_for(lambda: daemon.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START), 120)
        (code,) = (p for p in daemon.stack.status() if p.name == "dagster-code")
        assert code.pid is not None
        os.kill(code.pid, signal.SIGKILL)
        launcher = daemon.instance.run_launcher
        wait_for(lambda: _restarted(daemon, code.pid), 60)
        for _ in range(3):
            assert launcher.check_run_worker_health(daemon.run(run_id)).status.value == "RUNNING"
    assert daemon.finished(run_id).status is dg.DagsterRunStatus.SUCCESS


def _restarted(daemon: Daemon, former: int | None) -> bool:
    (code,) = (p for p in daemon.stack.status() if p.name == "dagster-code")
    return code.pid is not None and code.pid != former
