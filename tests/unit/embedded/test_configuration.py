"""Rendered configuration: what must be in it, in a form that its reader understands."""

import configparser
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

from infra.embedded import configuration, urgency
from infra.embedded.credentials import Credentials
from infra.embedded.files import Home
from infra.embedded.plan import Plan, make_plan
from infra.embedded.ports import USUAL_PORTS
from infra.embedded.postgres import Postgres
from infra.embedded.urgency import niceness
from riskee.messaging.streams import GIB, STREAMS
from riskee.settings import load_settings

Usage = namedtuple("Usage", "total used free")
HOME = Home(Path("/some where/home"))
CREDENTIALS = Credentials("pg-secret", "valkey-secret", "nats-secret", "supervisor-secret")
PORTS = {name: port + 1 for name, port in USUAL_PORTS.items()}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    home = Home(tmp_path)
    return make_plan(home, Path("/repo"), PORTS, CREDENTIALS, Postgres(home, Path("/pg/bin")))


def supervisord(plan: Plan) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(next(text for path, text in plan.files.items() if path.name == "supervisord.conf"))
    return parser


def test_settings_read_the_endpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "endpoints.json").write_text(json.dumps(configuration.endpoints(PORTS, CREDENTIALS)))
    monkeypatch.setenv("RISKEE_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.database.url.get_secret_value() == "postgresql+psycopg://postgres:pg-secret@127.0.0.1:5433/riskee"
    assert settings.redis.url.get_secret_value() == "redis://:valkey-secret@127.0.0.1:6380/0"
    assert settings.nats.url.get_secret_value() == "nats://riskee:nats-secret@127.0.0.1:4223"
    assert (settings.vectors.url, settings.llm.url) == ("http://127.0.0.1:6334", "http://127.0.0.1:11435")
    assert (settings.api.port, settings.metrics.ingest_port, settings.metrics.explain_port) == (8001, 9102, 9105)
    assert settings.dagster.url == "http://127.0.0.1:3001"


def test_the_api_audits_into_the_folder_of_logs(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, path = supervisord(plan)["program:api"]["environment"].split("=")
    assert name == "RISKEE_API__AUDIT__PATH"
    monkeypatch.setenv("RISKEE_HOME", str(tmp_path))
    monkeypatch.setenv(name, path.strip('"'))
    settings = load_settings()
    assert settings.home / settings.api.audit.path == Home(tmp_path).logs / "audit.log"
    # Wherever else somebody wants it.
    own = make_plan(Home(tmp_path), Path("/repo"), PORTS, CREDENTIALS, Postgres(Home(tmp_path), Path("/pg/bin")))
    assert supervisord(own)["program:api"]["environment"] == ""


def test_dagster_keeps_everything_below_the_home() -> None:
    instance = yaml.safe_load(configuration.dagster_config(HOME, PORTS, CREDENTIALS))
    assert instance["storage"]["custom"]["config"]["postgres_db"] == {
        "scheme": "postgresql+psycopg2",
        "username": "postgres",
        "password": "pg-secret",
        "hostname": "127.0.0.1",
        "port": 5433,
        "db_name": "dagster",
    }
    assert instance["compute_logs"]["config"]["base_dir"] == "/some where/home/dagster/logs"
    assert instance["local_artifact_storage"]["config"]["base_dir"] == "/some where/home/dagster/artifacts"
    assert instance["telemetry"] == {"enabled": False}
    assert "max_concurrent_runs" not in instance["run_coordinator"]["config"], "Dagster refuses it in two places"


def test_dagster_notices_a_dead_worker_and_repeats_its_run_once() -> None:
    instance = yaml.safe_load(configuration.dagster_config(HOME, PORTS, CREDENTIALS))
    assert instance["run_launcher"] == {"module": "riskee_dagster.launcher", "class": "WatchedRunLauncher"}
    assert instance["run_monitoring"]["enabled"]
    assert instance["run_monitoring"]["poll_interval_seconds"] <= 10
    # A step that fails is repeated by its own policy: what it says is wrong does not change with another run.
    assert instance["run_retries"] == {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False}
    assert instance["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}


@pytest.mark.parametrize("render", [configuration.nats_config, configuration.valkey_config])
def test_servers_bind_to_the_loopback_and_ask_for_a_password(render: object) -> None:
    assert callable(render)
    text = render(HOME, PORTS, CREDENTIALS)
    assert "127.0.0.1" in text
    assert "0.0.0.0" not in text
    assert "-secret" in text
    assert '"/some where/home/data/' in text


def test_every_process_is_restarted_for_ever_and_dies_with_its_parent(plan: Plan) -> None:
    parser = supervisord(plan)
    programs = [section for section in parser.sections() if section.startswith("program:")]
    assert len(programs) == 13
    for program in programs:
        assert parser[program]["autorestart"] == "true"
        assert int(parser[program]["startretries"]) > 100_000
        assert parser[program]["command"].startswith("setpriv --pdeathsig ")


def test_what_is_less_urgent_than_predict_is_nicer(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(name: str) -> str:
        return supervisord(plan)[f"program:{name}"]["command"]

    assert all(" nice " not in command(name) for name in ("predict", "ingest", "nats", "redis", "postgres"))
    assert " nice -n 5 " in command("record")
    assert " nice -n 15 " in command("dagster-daemon")
    monkeypatch.setenv("RISKEE_PREDICT__PRECEDENCE", "9")
    assert [niceness(name, os.environ) for name in ("api", "ollama")] == [9, 19]
    assert niceness("api", {"RISKEE_PREDICT__PRECEDENCE": "0"}) == 0
    assert niceness("predict-2", {"RISKEE_PREDICT__PRECEDENCE": "9"}) == 0
    assert niceness("api", {"RISKEE_PREDICT__PRECEDENCE": "\N{SUPERSCRIPT TWO}"}) == niceness("api", {})


@pytest.mark.parametrize("granted", [True, False])
def test_what_others_precede_interrupts_nobody_where_that_is_granted(
    granted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urgency, "_policy_is_granted", lambda: granted)
    policy = ("chrt", "--batch", "0") if granted else ()
    assert urgency.prefix("record", {}) == (*policy, "nice", "-n", "5")
    # Each of its backends is a session of its own: niceness would not reach them.
    assert urgency.prefix("postgres", {}) == policy
    assert not any(urgency.prefix(name, {}) for name in ("predict", "predict-2", "ingest", "nats", "redis"))
    assert not any(urgency.prefix(name, {"RISKEE_PREDICT__PRECEDENCE": "0"}) for name in ("record", "postgres"))


needs_batch = pytest.mark.skipif(
    not shutil.which("chrt")
    or subprocess.run(["chrt", "--batch", "0", "true"], check=False, capture_output=True).returncode != 0,
    reason="this machine grants no process SCHED_BATCH",
)


@needs_batch
@pytest.mark.parametrize("policy", [os.SCHED_OTHER, os.SCHED_IDLE])
def test_who_runs_under_another_policy_keeps_it(policy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getscheduler", lambda _pid: policy)
    assert urgency._policy_is_granted.__wrapped__() is (policy == os.SCHED_OTHER)


@needs_batch
def test_a_process_becomes_what_it_is_started_as_and_keeps_its_id() -> None:
    """As long as its stop signal goes to its own id."""
    tell = "import os; print(os.getpid(), os.sched_getscheduler(0) == os.SCHED_BATCH, os.nice(0))"
    command = ["chrt", "--batch", "0", "nice", "-n", "5", sys.executable, "-c", tell]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    niceness_here = os.nice(0)
    assert started.communicate()[0].split() == [str(started.pid), "True", str(min(niceness_here + 5, 19))]


def test_postgres_is_asked_for_a_fast_shutdown(plan: Plan) -> None:
    postgres = supervisord(plan)["program:postgres"]
    assert postgres["stopsignal"] == "INT"
    assert postgres["command"].startswith("setpriv --pdeathsig INT -- ")


def test_the_supervisor_needs_its_password(plan: Plan) -> None:
    server = supervisord(plan)["inet_http_server"]
    assert (server["port"], server["password"]) == ("127.0.0.1:9002", "supervisor-secret")


def test_a_server_of_the_users_own_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_LLM__URL", "http://gpu:11434")
    home = Home(tmp_path)
    plan = make_plan(home, Path("/repo"), PORTS, CREDENTIALS, Postgres(home, Path("/pg/bin")))
    assert "ollama" not in {process.name for process in plan.processes}
    assert not supervisord(plan).has_section("program:ollama")


def test_a_changed_setting_changes_the_fingerprint(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan.fingerprint()
    assert plan.fingerprint() == before
    monkeypatch.setenv("RISKEE_LOG_LEVEL", "DEBUG")
    assert plan.fingerprint() != before


@pytest.mark.parametrize("name", ["serving/api.py", "dbt_like_sql/models/marts/latest.sql"])
def test_updated_code_changes_the_fingerprint(tmp_path: Path, name: str) -> None:
    home, module = Home(tmp_path / "home"), tmp_path / name
    module.parent.mkdir(parents=True)
    module.write_text("old")
    plan = make_plan(home, tmp_path, PORTS, CREDENTIALS, Postgres(home, Path("/pg/bin")))
    before = plan.fingerprint()
    module.write_text("newer")
    assert plan.fingerprint() != before


@pytest.mark.parametrize(("free", "store"), [(0, 0.5), (8, 4), (50, 25), (500, 32)])
def test_jetstream_gets_a_share_of_the_disk_that_holds_all_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, store: float
) -> None:
    home = Home(tmp_path)
    home.create()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, free * GIB))
    configuration.choose_store(home)
    plan = make_plan(home, Path("/repo"), PORTS, CREDENTIALS, Postgres(home, Path("/pg/bin")))
    assert f"max_file_store: {int(store * GIB)}\n" in plan.files[home.run / "nats.conf"]
    limit = json.loads(plan.files[home.run / "endpoints.json"])["nats"]["store_limit_bytes"]
    assert sum(min(stream.max_bytes, limit or stream.max_bytes) for stream in STREAMS) <= store * GIB


def test_a_home_whose_streams_were_made_without_a_share_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.create()
    (home.data / "nats" / "jetstream").mkdir(parents=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, GIB))
    configuration.choose_store(home)
    assert configuration.store_bytes(home) == configuration.LARGEST_STORE


def test_less_space_on_the_disk_does_not_restart_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.create()
    fingerprints = set()
    for free in (30, 3):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, free=free: Usage(0, 0, free * GIB))
        configuration.choose_store(home)
        plan = make_plan(home, Path("/repo"), PORTS, CREDENTIALS, Postgres(home, Path("/pg/bin")))
        fingerprints.add(plan.fingerprint())
    assert len(fingerprints) == 1


def test_how_the_home_is_named_does_not_change_the_fingerprint(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan.fingerprint()
    monkeypatch.setenv("RISKEE_HOME", "/elsewhere")
    monkeypatch.setenv("RISKEE_TEST_TIMESCALE_DSN", "postgresql://x")
    assert plan.fingerprint() == before
