"""`riskee replay --from … --to …` with a running stack: the days are predicted, then the usual feed goes on."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner, Result

from infra.embedded.stack import Stack
from riskee.cli.app import app
from riskee.errors import PoisonError, RetryableError
from riskee.market.sessions import Session
from riskee.settings import load_settings
from riskee.storage.database import make_engine
from riskee.storage.migrations import migrate
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import predictions
from tests.conftest import running_stack
from tests.integration.conftest import eventually
from tests.integration.live_data import TICKERS, Market, fill

pytestmark = pytest.mark.integration
runner = CliRunner()


@pytest.fixture(scope="module")
def own() -> Iterator[tuple[Stack, Engine, Market]]:
    """A stack of this module's own, with the live path running."""
    with running_stack("riskee-replay-") as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISKEE_HOME", str(stack.home))
        settings = load_settings()
        migrate(settings.database.url, settings)
        engine = make_engine(settings.database.url, 2)
        with engine.begin() as connection:
            market = fill(connection)
        stack.start_services(names=("ingest", "predict", "record"))
        yield stack, engine, market
        engine.dispose()


def replay(*arguments: str) -> Result:
    return runner.invoke(app, ["replay", *arguments])


def is_predicted(engine: Engine, feed: str, expected: set[tuple[str, date]]) -> bool:
    with engine.connect() as connection:
        found = connection.execute(select(predictions).where(predictions.c.feed == feed)).all()
    return {(row.ticker, row.session_date) for row in found} == expected


async def test_past_days_are_played_once_and_the_usual_feed_goes_on(own: tuple[Stack, Engine, Market]) -> None:
    stack, engine, market = own
    days = [session.session_date for session in market.sessions[100:103]]
    window = f"replay/{days[0]}..{days[-1]}"
    for number in (1, 2):
        result = replay("--from", str(days[0]), "--to", str(days[-1]), "--seconds", "0", "--json")
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert (told["feed"], told["sessions"]) == (f"{window}/{number}", 3)
        assert told["quotes"] == 4 * (len(TICKERS) + 1) * 3, "of the market too"
        expected = {(ticker, day) for ticker in TICKERS for day in days}
        await eventually(partial(is_predicted, engine, f"{window}/{number}", expected))
    assert stack.running
    states = {status.name: status.state for status in stack.status()}
    assert states["ingest"] == "RUNNING"
    with engine.connect() as connection:
        usual = connection.execute(select(predictions.c.feed).where(predictions.c.feed == "replay/1").limit(1))
        assert usual.one_or_none(), "the usual feed was played before"
    assert [path.name for path in stack.home.glob("logs/replay.log")] == ["replay.log"]


def test_days_without_a_session_are_named(own: tuple[Stack, Engine, Market]) -> None:
    result = replay("--from", "2013-03-23", "--to", "2013-03-24")
    assert isinstance(result.exception, RetryableError)
    assert "no sessions to replay from 2013-03-23 to 2013-03-24" in str(result.exception)


def test_what_cannot_be_played_shows_its_log(own: tuple[Stack, Engine, Market], tmp_path: Path) -> None:
    _, _, market = own
    day = str(market.sessions[50].session_date)
    result = replay("--from", day, "--to", day, "--minutes", str(tmp_path))
    assert result.exit_code == 1
    assert "has no files of minute bars" in str(result.exception)


def test_sessions_without_bars_are_not_played(own: tuple[Stack, Engine, Market]) -> None:
    """They would be told as played, with no quote."""
    _, engine, _ = own
    day = datetime(2013, 3, 23, 14, 30, tzinfo=UTC)
    with engine.begin() as connection:
        write_sessions(connection, [Session(day.date(), day, day + timedelta(hours=6))])
    result = replay("--from", str(day.date()), "--to", str(day.date()))
    assert isinstance(result.exception, RetryableError)
    assert "no sessions to replay from 2013-03-23" in str(result.exception)


def test_minutes_of_which_none_can_be_told_are_a_failure(own: tuple[Stack, Engine, Market], tmp_path: Path) -> None:
    _, _, market = own
    (tmp_path / "IBM_1min.csv").write_text("datetime,open,high,low,close,volume\n2030-01-02 10:00:00,1,1,1,1,1\n")
    day = str(market.sessions[50].session_date)
    result = replay("--from", day, "--to", day, "--minutes", str(tmp_path), "--seconds", "0")
    assert result.exit_code == 1
    assert "gave no quotes" in str(result.exception)


@pytest.mark.parametrize("options", [("--to", "2013-01-02"), ("--seconds", "1"), ("--minutes", "folder")])
def test_options_of_a_range_need_its_first_day(options: tuple[str, str]) -> None:
    result = replay(*options)
    assert isinstance(result.exception, PoisonError)
    assert "--from" in str(result.exception)
