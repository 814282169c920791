"""`riskee data fetch`."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from riskee.cli.app import app
from riskee.errors import RetryableError
from riskee.settings import DataSettings
from tests.integration.vendors.conftest import Market
from tests.integration.vendors.listings import DAYS, NOW
from tests.integration.vendors.server import Reply

pytestmark = pytest.mark.integration


@pytest.fixture
def shell(market: Market, monkeypatch: pytest.MonkeyPatch) -> Market:
    """The command's settings are the market's; nobody runs a stack beside it."""
    settings = market.settings.model_copy(update={"profile": "compose", "data": DataSettings(tickers=("MSFT",))})
    monkeypatch.setattr("riskee.cli.fetch.read_settings", lambda: settings)
    monkeypatch.setattr("riskee.clock.SystemClock.now", lambda _: NOW)
    return replace(market, settings=settings)


def test_the_command_reports_what_an_import_does(shell: Market) -> None:
    done = CliRunner().invoke(
        app, ["data", "fetch", "yahoo", "aapl", "--from", "2020-08-27", "--to", "2020-09-01", "--json"]
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["source"], report["new"], report["first"], report["last"]) == (
        "yahoo",
        4,
        "2020-08-27",
        "2020-09-01",
    )
    assert len(shell.stored()) == 4


def test_without_tickers_the_settings_decide(shell: Market) -> None:
    done = CliRunner().invoke(app, ["data", "fetch", "alpaca"])
    assert done.exit_code == 0, done.output
    assert "Fetching 1 tickers from alpaca" in done.output
    assert "alpaca:iex: 6 rows read, 6 accepted of 1 tickers" in done.output


def test_a_failure_midway_is_told_after_the_report(shell: Market) -> None:
    shell.server.fail("/v1/corporate-actions", Reply({"corporate_actions": {}}), Reply("", 500))
    done = CliRunner().invoke(app, ["data", "fetch", "alpaca", "MSFT", "AAPL"])
    assert isinstance(done.exception, RetryableError)
    assert "6 new bars" in done.output
    assert "stopped at AAPL: Alpaca answers 500" in done.output
    assert len(shell.stored("MSFT")) == len(DAYS)
