"""Commands against the real embedded servers, in this process."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.embedded.stack import Stack
from riskee.cli import server_checks
from riskee.cli.app import app
from riskee.errors import RetryableError
from riskee.settings import Settings
from riskee.storage.database import make_engine
from riskee.storage.feed_state import FeedState, write_feed_state
from riskee.storage.replay import FEED
from tests.integration.live_data import KNOWN_AT, fill

pytestmark = pytest.mark.integration

runner = CliRunner()
HEADER = "symbol,date,open,high,low,close,volume"


@pytest.fixture(autouse=True)
def home(stack: Stack, database_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """This stack's home, with a database of the test's own."""
    monkeypatch.setenv("RISKEE_HOME", str(stack.home))
    monkeypatch.setenv("RISKEE_DATABASE__URL", database_settings.database.url.get_secret_value())


@pytest.fixture
def market(database_settings: Settings) -> Iterator[None]:
    engine = make_engine(database_settings.database.url, 1)
    with engine.begin() as connection:
        made = fill(connection)
        write_feed_state(connection, FeedState(FEED, 2, made.sessions[-10].session_date, KNOWN_AT))
    yield
    engine.dispose()


def _run(*arguments: str) -> Result:
    return runner.invoke(app, list(arguments))


def test_status_shows_servers_and_that_services_are_down(stack: Stack) -> None:
    result = _run("status", "--json")
    states = {process["name"]: process["state"] for process in json.loads(result.stdout)}
    assert states["postgres"] == states["nats"] == states["redis"] == "RUNNING"
    assert states["predict"] == "STOPPED"
    assert result.exit_code == 3
    assert "stopped" in _run("status").output


def test_doctor_tells_what_runs_and_what_is_missing() -> None:
    result = _run("doctor", "--json")
    report = json.loads(result.stdout)
    found = {check["name"]: check for check in report["checks"]}
    for name in ("database", "redis", "python", "disk"):
        assert found[name]["state"] == "ok", found[name]
    assert found["redis"]["version"].startswith("valkey 9")
    assert found["database"]["detail"].startswith("tier plain")
    for name in ("api", "predict", "models", "ollama"):
        assert found[name]["state"] == "problem"
        assert found[name]["remedy"]
    assert report["ok"] is False
    assert result.exit_code == 1


def test_doctor_finds_models(market: None, database_settings: Settings) -> None:
    assert server_checks.check_models(database_settings).state == "ok"


def test_importing_reports_what_became_of_each_row(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    rows = ["ABC,2012-10-01,10,11,9,10.5,1000", "ABC,2012-10-02,10.5,11,10,10.8,900", "ABC,2012-10-03,10,9,11,10,5"]
    file.write_text("\n".join([HEADER, *rows]))
    result = _run("data", "import", str(file), "--no-run")
    assert result.exit_code == 0, result.output
    assert "3 rows read, 2 accepted of 1 tickers, 2012-10-01 to 2012-10-02" in result.output
    assert "1 rows in quarantine" in result.output
    assert "restart predict and ingest" in result.output
    # One ticker, four quotes a session, 4320 sessions of 20 s a day.
    assert "about 17,280 predictions a day at 20 s a session" in result.output
    assert "RISKEE_FEED__REPLAY__SESSION_SECONDS" in result.output
    shown = json.loads(_run("data", "show", "--json").stdout)
    assert [(row["ticker"], row["bars"], row["quarantined"]) for row in shown["tickers"]] == [("ABC", 2, 1)]
    assert [(made["file_name"], made["rows_accepted"]) for made in shown["imports"]] == [("bars.csv", 2)]
    assert shown["quarantine"] == [{"origin": "bars.csv", "reason": "high is below low", "rows": 1}]
    table = _run("data", "show").output
    assert "1 tickers, 2 daily bars" in table
    assert "high is below low" in table


def test_importing_what_is_no_table_fails_with_its_name(tmp_path: Path) -> None:
    result = _run("data", "import", str(tmp_path / "nothing.csv"), "--no-run")
    assert result.exit_code == 1
    assert "nothing.csv" in str(result.exception)


def test_replay_tells_pass_and_session(market: None) -> None:
    found = json.loads(_run("replay", "--json").stdout)
    assert (found["pass"], found["played"], found["sessions"]) == (2, 111, 120)
    assert "pass 2: session 111 of 120 done" in _run("replay").output


def test_replay_without_history_says_so() -> None:
    assert "no history" in str(_run("replay").exception)


def test_logs_of_a_server_and_of_nobody(stack: Stack) -> None:
    assert _run("logs", "nats", "-n", "3").exit_code == 0
    assert _run("logs", "-n", "1").exit_code == 0
    assert "one of" in str(getattr(_run("logs", "nobody").exception, "remedy", ""))


def test_asking_without_an_api_says_what_starts_it() -> None:
    result = _run("predict", "AAPL")
    assert isinstance(result.exception, RetryableError)
    assert "riskee up" in result.exception.remedy
