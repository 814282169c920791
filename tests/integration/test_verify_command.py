"""`riskee verify parity` against a real database: what it says, and that a difference fails the command."""

import json
from datetime import date

import pytest
from sqlalchemy import Connection, Engine, text
from typer.testing import CliRunner, Result

from dbt_like_sql import run
from infra.embedded.stack import Stack
from riskee.cli.app import app
from riskee.errors import NotFoundError
from riskee.features import parity
from riskee.features.definitions import FEATURES
from riskee.market.bars import Floats
from riskee.settings import Settings
from tests.integration.live_data import MARKET, fill

pytestmark = pytest.mark.integration


@pytest.fixture
def features(stack: Stack, database_settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A small made-up market with its features, which the command sees as its home's."""
    monkeypatch.setenv("RISKEE_HOME", str(stack.home))
    monkeypatch.setenv("RISKEE_DATABASE__URL", database_settings.database.url.get_secret_value())
    with engine.begin() as connection:
        fill(connection, models=False)
    run(engine, {"market_ticker": MARKET})
    return engine


def _verify(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", "parity", *arguments])


def test_features_that_agree_are_counted(features: Engine) -> None:
    result = _verify("--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["agrees"], report["mismatches"], report["missing_rows"], report["surplus_rows"]) == (True, 0, 0, 0)
    assert report["values"] == report["rows"] * len(FEATURES) > 10_000
    assert report["worst"] < 1e-9
    assert report["seconds"] >= 0
    told = _verify().output
    assert f"0 mismatches in {report['values']:,} values of {report['rows']:,} rows" in told
    assert "Comparing the features with the live kernel" in told


def test_a_difference_is_named_and_fails(features: Engine) -> None:
    with features.begin() as connection:
        day = connection.scalar(text("SELECT max(session_date) FROM features_daily WHERE ticker = 'IBM'"))
        changed = text(
            "UPDATE features_daily SET rsi_14 = rsi_14 * (1 + 1e-8) WHERE ticker = 'IBM' AND session_date = :d"
        )
        connection.execute(changed, {"d": day})
    result = _verify("--json", "--from", str(day), "--to", str(day))
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["agrees"], report["mismatches"], report["worst_feature"]) == (False, 1, "rsi_14")
    (example,) = report["examples"]
    assert (example["ticker"], example["session"], example["feature"]) == ("IBM", str(day), "rsi_14")
    told = _verify()
    assert told.exit_code == 1
    assert "1 mismatch in" in told.output
    assert "rsi_14" in told.output


def test_rows_that_change_meanwhile_are_no_mismatch(features: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    read_bars = parity.read_bars

    def read_and_change(connection: Connection, first: date, end: date) -> Floats:
        bars = read_bars(connection, first, end)
        with features.begin() as other:
            other.execute(text("DELETE FROM features_daily WHERE ticker = 'IBM'"))
        return bars

    monkeypatch.setattr(parity, "read_bars", read_and_change)
    assert _verify().exit_code == 0
    assert _verify().exit_code == 1, "now they are gone"


def test_the_precision_is_told() -> None:
    told = " ".join(_verify("--help").output.replace("│", "").split())
    assert "1e-9 of the larger one; one below 0.001 is judged as if it were 0.001" in told


def test_sessions_without_bars_are_no_agreement(features: Engine) -> None:
    assert isinstance(_verify("--from", "2030-01-01").exception, NotFoundError)
