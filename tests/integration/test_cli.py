"""Commands against the real embedded servers, in this process."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.embedded.stack import Stack
from riskee.cli import console, server_checks
from riskee.cli.app import app
from riskee.errors import RetryableError
from riskee.market.replay import REPLAY
from riskee.settings import Settings
from riskee.storage.database import make_engine
from riskee.storage.feed_state import FeedState, write_feed_state
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
        write_feed_state(connection, FeedState(REPLAY, 2, made.sessions[-10].session_date, KNOWN_AT))
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
    assert "`riskee backfill` computes the features" in result.output
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


def test_what_is_odd_is_told_by_the_import_and_shown_until_later(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text("\n".join([HEADER, "ABC,2012-10-01,10,11,9,10.5,0", "ABC,2012-10-02,10,11,9,10.5,9"]))
    told = _run("data", "import", str(file), "--no-run").output
    assert "stored, but odd" in told
    assert "1  zero_volume" in told
    (found,) = json.loads(_run("data", "show", "--findings", "--json").stdout)
    assert (found["ticker"], found["session"], found["kind"]) == ("ABC", "2012-10-01", "zero_volume")
    assert "nothing was traded; the close is 10.5" in _run("data", "show", "--findings").output
    assert json.loads(_run("data", "show", "XYZ", "--findings", "--json").stdout) == []
    assert json.loads(_run("data", "show", "--json").stdout)["findings"] == {"zero_volume": 1}
    assert "zero_volume" in _run("data", "show").output


def test_bars_are_shown_as_they_were_known_then(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    for close in ("10.5", "10.6"):
        file.write_text("\n".join([HEADER, f"ABC,2012-10-01,10,11,9,{close},5", "ABC,2012-10-02,10,11,9,10.7,9"]))
        assert _run("data", "import", str(file), "--no-run").exit_code == 0
    shown = {
        options: [(bar["session"], bar["close"]) for bar in json.loads(_run("data", "show", "ABC", *options).stdout)]
        for options in (
            ("--json",), ("--json", "--as-of", "2012-10-01"), ("--json", "--as-of", "2012-10-02T21:00", "--bars", "1"),
        )
    }  # fmt: skip
    assert list(shown.values()) == [
        [("2012-10-01", 10.6), ("2012-10-02", 10.7)], [("2012-10-01", 10.5)], [("2012-10-02", 10.7)],
    ]  # fmt: skip
    assert "as known at 2012-10-03 00:00 UTC" in _run("data", "show", "ABC", "--as-of", "2012-10-02").output
    assert "no bar of ABC was known" in str(_run("data", "show", "ABC", "--as-of", "2012-10-01T12:00").exception)
    assert "for a ticker's bars" in str(_run("data", "show", "--as-of", "2012-10-01").exception)


def test_a_terminal_of_80_columns_cuts_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "stocks_daily_of_many_tickers.csv"
    for close in ("1010.5", "1010.6"):
        rows = [f"ABC,2012-10-01,1010,1011,1009,{close},123456789", "ABC,2012-10-02,1010,1011,1009,1010.7,0"]
        file.write_text("\n".join([HEADER, *rows]))
        assert _run("data", "import", str(file), "--no-run").exit_code == 0
    monkeypatch.setattr(console, "_FILE_WIDTH", 80)
    for options, cells in (
        ((), ("ABC", "2012-10-01", "2012-10-02")),
        (("ABC",), ("2012-10-01", "1010.00", "1011.00", "1009.00", "1010.60", "123,456,789", "1010.60")),
        (("--findings",), ("zero_volume", "ABC", "2012-10-02")),
    ):
        lines = [line for line in _run("data", "show", *options).output.splitlines() if len(line) <= 80]
        assert any(all(cell in line.split() for cell in cells) for line in lines), lines


def test_an_index_reports_members_and_sectors_are_imported(tmp_path: Path) -> None:
    def imported(kind: str, content: str, *options: str) -> str:
        file = tmp_path / f"{kind}.csv"
        file.write_text(content)
        result = _run("data", "import", str(file), "--as", kind, "--no-run", *options)
        assert result.exit_code == 0, result.output
        return result.output

    imported("bars", f"{HEADER}\nABC,2012-10-01,10,11,9,10.5,5\n")
    assert "close_only" in imported("index", "Date,SP500\n2012-10-01,1444\n", "--ticker", "spx")
    assert "2 rows read; 1 stored" in imported("earnings", "symbol,earnings_date\nABC,2012-10-01\nABC,soon\n")
    assert "1 stored" in imported("membership", "symbol,opt-in,opt-out\nABC,2000-01-01,\n")
    assert "1 stored" in imported("sectors", "symbol,name,sector\nABC,Abc,Energy\n")
    shown = json.loads(_run("data", "show", "--json").stdout)
    assert [(row["ticker"], row["name"]) for row in shown["tickers"]] == [("ABC", "Abc"), ("SPX", "SPX")]
    assert (shown["survivorship"]["members"], shown["survivorship"]["members_without_bars"]) == (1, 0)
    assert "1 of 1 on 2012-10-01" in _run("data", "show").output
    refused = _run("data", "import", str(tmp_path / "sectors.csv"), "--as", "sectors", "--ticker", "SPX")
    assert "leave --ticker away" in str(refused.exception)


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
    assert "there are" in str(getattr(_run("logs", "nobody").exception, "remedy", ""))


def test_asking_without_an_api_says_what_starts_it() -> None:
    result = _run("predict", "AAPL")
    assert isinstance(result.exception, RetryableError)
    assert "riskee up" in result.exception.remedy
