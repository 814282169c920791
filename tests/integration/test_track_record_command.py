"""`riskee track-record` and `riskee verify track-record` against a real database."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from riskee.cli import console
from riskee.cli import track_record as command
from riskee.cli.app import app
from riskee.errors import NotFoundError, RetryableError
from riskee.settings import Settings
from riskee.storage.tickers import TickerInfo, write_tickers
from riskee.storage.track_record import GENESIS, Head, append, head
from tests.integration.marts import make_marts
from tests.integration.test_track_record import past_the_trigger

pytestmark = pytest.mark.integration
FIRST = date(2012, 1, 2)
SESSIONS = 60
Run = Callable[..., Result]


def row(number: int, ticker: str, hit: bool, model: str = "m1") -> tuple[object, ...]:
    """A prediction of session `number`: the price alternately rises and falls, one in ten moves leaves the interval."""
    session = FIRST + timedelta(days=number)
    moment = datetime(session.year, session.month, session.day, 20, tzinfo=UTC)
    rises = number % 2 == 0
    move = (0.05 if number % 10 == 9 else 0.01) * (1 if rises else -1)
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{number}{ticker}{model}")
    return (
        identity, ticker, "normal", model, "replay/1", moment, session,
        session + timedelta(days=1), 0.001, 0.6 if rises is hit else 0.4, -0.02, 0.02, move, moment,
    )  # fmt: skip


@pytest.fixture
def run(engine: Engine, database_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    make_marts(engine, database_settings)
    monkeypatch.setattr(command, "read_settings", lambda: database_settings)

    def invoke(*words: str) -> Result:
        result = CliRunner().invoke(app, list(words))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def written(engine: Engine) -> Head:
    """GOOD is right four times of five, COIN every other time; of YOUNG two sessions are known, both right."""
    rows = [
        row(number, ticker, hit)
        for number in range(SESSIONS)
        for ticker, hit in (("GOOD", number % 5 != 0), ("COIN", number % 4 < 2), ("YOUNG", True))
        if ticker != "YOUNG" or number < 2
    ]
    with engine.begin() as connection:
        return append(connection, rows, Head())


def total(run: Run, *ticker: str) -> dict[str, Any]:
    """The first line of the answer, for all models."""
    found: dict[str, Any] = json.loads(run("track-record", *ticker, "--json").stdout)["models"][0]
    return found


def test_of_nothing_it_says_so(run: Run, engine: Engine) -> None:
    with engine.begin() as connection:
        write_tickers(connection, [TickerInfo("AAPL", "Apple", is_index=False, source="made")])
    assert "no prediction of AAPL is scored yet" in run("track-record", "aapl").stdout
    assert "no prediction of any ticker" in run("track-record").stdout
    assert json.loads(run("track-record", "--json").stdout) == {"models": [], "tickers": []}


def test_a_ticker_that_nobody_knows_is_an_error(run: Run) -> None:
    for options in ((), ("--json",)):
        with pytest.raises(NotFoundError, match="there is no ticker NOPE") as failed:
            run("track-record", "nope", *options)
        assert "riskee data show" in failed.value.remedy


def test_a_ticker_that_is_no_better_than_a_coin_is_told_so(run: Run, written: Head) -> None:
    told = run("track-record", "coin").stdout
    assert f"{SESSIONS} predictions of {SESSIONS} sessions: not distinguishable from chance" in told
    standing = total(run, "COIN")["standing"]
    assert (standing["outcomes"], standing["sessions"], standing["hit_rate"]) == (SESSIONS, SESSIONS, 0.5)
    assert standing["hit_rate_low"] < 0.5 < standing["hit_rate_high"]
    assert standing["brier"] == pytest.approx((0.4**2 + 0.6**2) / 2)
    assert standing["brier_of_share"] == 0.25


def test_two_lucky_sessions_are_no_evidence(run: Run, written: Head) -> None:
    assert "2 predictions of 2 sessions: not distinguishable from chance" in run("track-record", "YOUNG").stdout


def test_a_ticker_that_is_better_is_told_so(run: Run, written: Head) -> None:
    told = run("track-record", "GOOD").stdout
    assert f"{SESSIONS} predictions of {SESSIONS} sessions: better than chance" in told
    assert "80.0% (" in told


def test_a_ticker_that_is_worse_is_told_so(run: Run, engine: Engine) -> None:
    with engine.begin() as connection:
        append(connection, [row(number, "BAD", hit=number % 5 == 0) for number in range(SESSIONS)], Head())
    told = run("track-record", "BAD").stdout
    assert "20.0% (11.8%–31.9%)" in told
    assert "50.0%" in told
    assert f"{SESSIONS} predictions of {SESSIONS} sessions: worse than chance" in told


def test_a_terminal_of_80_columns_shows_a_row_in_a_line(
    run: Run, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_FILE_WIDTH", 80)
    with engine.begin() as connection:
        append(connection, [row(n, "GOOD", n % 5 != 0, "earnings-20121109-5f0c2a91") for n in range(SESSIONS)], Head())
    lines = run("track-record").stdout.splitlines()
    tables = lines[: next(at for at, line in enumerate(lines) if "predictions of" in line)]
    assert max(map(len, tables)) <= 80
    shown = [line.split() for line in tables if "80.0%" in line]
    assert [first for first, *_ in shown] == ["*", "earnings-20121109-5f0c2a91", "GOOD"]
    assert all(cells[1:6] == ["60", "80.0%", "(68.1%–88.2%)", "50.0%", "0.2000"] for cells in shown)


def test_without_the_marts_the_next_step_is_named(database_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "read_settings", lambda: database_settings)
    error = CliRunner().invoke(app, ["track-record"]).exception
    assert isinstance(error, RetryableError)
    assert "marts.accuracy" in error.cause
    assert "riskee sql run prediction_outcomes accuracy" in error.remedy


def test_intervals_that_held_are_counted_with_an_interval(run: Run, written: Head) -> None:
    held = total(run, "GOOD")["coverage_80"]
    assert held["value"] == pytest.approx(0.9)
    assert 0.75 < held["low"] < 0.9 < held["high"] <= 1.0


def test_all_tickers_are_shown_together_and_each(run: Run, written: Head, engine: Engine) -> None:
    with engine.begin() as connection:
        append(connection, [row(3, "GOOD", hit=True, model="m2")], head(connection))
    shown = json.loads(run("track-record", "--json").stdout)
    counts = {each["standing"]["model_version"]: each["standing"]["outcomes"] for each in shown["models"]}
    assert counts == {"*": 2 * SESSIONS + 3, "m1": 2 * SESSIONS + 2, "m2": 1}
    assert [each["ticker"] for each in shown["tickers"]] == ["COIN", "GOOD", "YOUNG"]
    told = run("track-record").stdout
    assert all(name in told for name in ("m1", "m2", "COIN", "GOOD", "YOUNG"))


def test_an_untouched_chain_verifies(run: Run, written: Head) -> None:
    result = run("verify", "track-record", "--holds", written.sha256, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verification"]["head"] == {"rows": written.rows, "sha256": written.sha256}
    assert run("verify", "track-record", "--holds", GENESIS).exit_code == 0


def test_a_changed_row_is_named(run: Run, written: Head, engine: Engine) -> None:
    with engine.begin() as connection:
        past_the_trigger(connection, "UPDATE track_record SET p_up = 0.9 WHERE sequence = 77")
    result = run("verify", "track-record")
    assert result.exit_code == 1
    assert "row 77 is broken" in result.stdout


def test_an_end_that_was_cut_off_is_found_by_the_digest_that_was_noted(run: Run, written: Head, engine: Engine) -> None:
    with engine.begin() as connection:
        past_the_trigger(connection, "DELETE FROM track_record WHERE sequence > 100")
    assert run("verify", "track-record").exit_code == 0, "the chain alone cannot tell"
    result = run("verify", "track-record", "--holds", written.sha256)
    assert result.exit_code == 1
    assert "cut, or written anew" in result.stdout
