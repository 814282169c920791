"""The running daemon: killed runs come back, a backfill is one run, and the sensor's evidence ends in a run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pandas as pd
import psutil
import pytest
from sqlalchemy import text

from riskee.storage.bars import upsert_bars
from riskee.storage.tickers import TickerInfo, write_tickers
from riskee_dagster.defs.monitoring import CAUSES, watch_key
from riskee_dagster.launcher import worker_of
from riskee_dagster.sensors import CAUSES_TAG, REQUEST_TAG
from serving.consumers.orchestrator import PARTS, parts_up
from tests.conftest import REPOSITORY
from tests.integration.dagster_daemon import Daemon, running_daemon, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1200)]
# What the documentation promises is a minute; the machine may be busy.
RECOVERY_SECONDS = 300


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with running_daemon("riskee-daemon-") as daemon:
        yield daemon


def kill_while_it_waits(daemon: Daemon, *, code_server_too: bool) -> str:
    """Launch a run, kill its worker in the middle of its first step. Answers the run's id."""
    with daemon.engine.begin() as connection:
        connection.execute(text("LOCK TABLE quotes IN ACCESS EXCLUSIVE MODE"))  # the step waits for it
        run_id = daemon.launch("maintenance")
        wait_for(lambda: daemon.run(run_id).status is dg.DagsterRunStatus.STARTED, RECOVERY_SECONDS)
        wait_for(
            lambda: daemon.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START),
            RECOVERY_SECONDS,
        )
        worker = worker_of(daemon.instance, run_id)
        assert worker is not None
        if code_server_too:
            (code,) = (p for p in daemon.stack.status() if p.name == "dagster-code")
            assert code.pid is not None
            os.kill(code.pid, signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie", RECOVERY_SECONDS)
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
        wait_for(lambda: daemon.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START), RECOVERY_SECONDS)
        (code,) = (p for p in daemon.stack.status() if p.name == "dagster-code")
        assert code.pid is not None
        os.kill(code.pid, signal.SIGKILL)
        launcher = daemon.instance.run_launcher
        wait_for(lambda: _restarted(daemon, code.pid), RECOVERY_SECONDS)
        for _ in range(3):
            assert launcher.check_run_worker_health(daemon.run(run_id)).status.value == "RUNNING"
    assert daemon.finished(run_id).status is dg.DagsterRunStatus.SUCCESS


def _restarted(daemon: Daemon, former: int | None) -> bool:
    (code,) = (p for p in daemon.stack.status() if p.name == "dagster-code")
    return code.pid is not None and code.pid != former


def made_up_bars() -> pd.DataFrame:
    """Half a year of a stock and of the index."""
    sessions = pd.bdate_range("2019-10-01", "2020-03-31")
    frames = []
    for number, ticker in enumerate(("IBM", "SPX")):
        close = 100 * np.exp(np.cumsum(np.random.default_rng(number).normal(0, 0.01, len(sessions))))
        frame = pd.DataFrame({"ticker": ticker, "session": sessions, "close": close})
        for name, factor in (("open", 1.0), ("high", 1.01), ("low", 0.99)):
            frame[name] = close * factor
        frames.append(frame)
    bars = pd.concat(frames, ignore_index=True)
    known_at = bars["session"].dt.tz_localize("UTC") + pd.Timedelta(hours=22)
    return bars.assign(volume=1e6, adjustment_factor=1.0, dividend=0.0, split=1.0, source="made", known_at=known_at)


def _backfilled() -> subprocess.CompletedProcess[str] | None:
    """What the command says; nothing yet where it asks to be tried again.

    The test before ended the code server, and until the webserver has heard all of the next one it knows no jobs.
    """
    command = [sys.executable, "-m", "riskee", "backfill", "--from", "2020-01-01", "--to", "2020-03-31", "--json"]
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    return None if "try again in a few seconds" in done.stderr else done


def test_a_backfill_from_the_command_line_is_one_run(daemon: Daemon) -> None:
    with daemon.engine.begin() as connection:
        write_tickers(connection, [TickerInfo("IBM", "IBM", is_index=False, source="made")])
        write_tickers(connection, [TickerInfo("SPX", "Index", is_index=True, source="made")])
        upsert_bars(connection, made_up_bars(), datetime(2020, 4, 1, tzinfo=UTC))
    done = wait_for(_backfilled, RECOVERY_SECONDS)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["days"], outcome["status"], len(outcome["run_ids"])) == (65, "COMPLETED_SUCCESS", 1)
    made = daemon.instance.get_materialized_partitions(dg.AssetKey("features_daily"))
    assert len(made) == 65
    assert (min(made), max(made)) == ("2020-01-01", "2020-03-31")
    with daemon.engine.connect() as connection:
        days = connection.scalar(text("SELECT count(*) FROM features_daily WHERE session_date >= '2020-01-01'"))
    assert days == 2 * 65  # a row for each bar


def test_evidence_ends_in_a_finished_run_that_says_why(daemon: Daemon) -> None:
    found = [{"kind": "drift", "key": "drift:made:1", "detail": "made up"}]
    daemon.instance.report_runless_asset_event(
        dg.AssetMaterialization(watch_key("normal"), metadata={CAUSES: dg.MetadataValue.json(found)})
    )
    requested = dg.RunsFilter(job_name="retrain")
    (run, *_) = wait_for(lambda: daemon.instance.get_runs(requested), RECOVERY_SECONDS)
    assert run.tags[CAUSES_TAG] == "normal: drift"
    assert run.tags["dagster/run_key"] == run.tags[REQUEST_TAG]
    # Half a year is too little to train on, and the run says so; what matters here is that it ran, and ran once.
    assert daemon.finished(run.run_id, RECOVERY_SECONDS).status is dg.DagsterRunStatus.FAILURE
    assert len(daemon.instance.get_runs(requested)) == 1


def test_record_is_told_what_works_of_it(daemon: Daemon) -> None:
    url = daemon.settings.dagster.url
    wait_for(lambda: parts_up(url, time.time()) == dict.fromkeys(PARTS, True), RECOVERY_SECONDS)
    assert parts_up(url, time.time() + 400)["daemon"] is False, "its last sign would be too old"
