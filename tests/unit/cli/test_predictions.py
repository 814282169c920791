"""predict and watch, with the API's answers given."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from riskee.cli import watch
from riskee.cli.app import app
from riskee.cli.predictions import prediction_lines
from tests.unit.cli.examples import PREDICTION

runner = CliRunner()
TOLD = {"type": "prediction", "snapshot": False} | PREDICTION


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def get(_settings: object, path: str, timeout: float) -> Any:
        assert timeout > 0
        asked.append(path)
        return PREDICTION

    monkeypatch.setattr("riskee.cli.api.get", get)
    return asked


def test_predict_shows_price_forecast_and_interval(answers: list[str]) -> None:
    result = runner.invoke(app, ["predict", "AAPL"])
    assert result.exit_code == 0
    for part in ("638.17", "638.79", "+0.10%", "51.7%", "627.09 … 651.12", "replay, provisional bar"):
        assert part in result.output
    assert answers == ["/v1/predict/AAPL"]


def test_json_is_the_apis_answer() -> None:
    result = runner.invoke(app, ["predict", "AAPL", "--json"])
    assert json.loads(result.stdout) == PREDICTION


def _stream(_settings: object, tickers: list[str]) -> Iterator[dict[str, Any]]:
    assert tickers == ["AAPL"]
    yield TOLD
    raise KeyboardInterrupt


def test_watch_prints_a_line_an_update_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "stream", _stream)
    result = runner.invoke(app, ["watch", "aapl"])
    assert result.exit_code == 0
    assert result.output == "2012-10-08T20:00:00Z AAPL 638.17 -> 638.79 P(up) 0.517\n"


def test_watch_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "stream", _stream)
    assert json.loads(runner.invoke(app, ["watch", "AAPL", "--json"]).output) == TOLD


def test_the_table_has_the_latest_prediction_of_each_ticker() -> None:
    console = Console(width=160, record=True)
    other = PREDICTION | {"ticker": "IBM", "expected_return": -0.01}
    console.print(watch.table({"IBM": other, "AAPL": PREDICTION}))
    text = console.export_text()
    assert text.index("AAPL") < text.index("IBM")
    assert "-1.00%" in text


def test_what_all_tickers_share_is_said_once_and_the_table_fits_a_terminal() -> None:
    console = Console(width=80, record=True)
    cold = PREDICTION | {"ticker": "FB", "flags": [*PREDICTION["flags"], "cold_window"]}
    console.print(watch.table({"FB": cold, "AAPL": PREDICTION}))
    text = console.export_text()
    assert text.splitlines()[0].startswith(f"{PREDICTION['feed']} · 2012-10-08 20:00 UTC · provisional bar, replay")
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "627.09 … 651.12" in text
    assert "cold" in next(line for line in text.splitlines() if "FB" in line)


def status(name: str, since: str, *tickers: str, standing: bool = True) -> dict[str, Any]:
    return {"type": "status", "status": name, "since": since, "tickers": list(tickers), "standing": standing,
            "meaning": "The feed is mute."}  # fmt: skip


def test_a_number_that_is_the_last_one_known_says_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    mute = PREDICTION | {"status": "feed_mute", "status_since": "2026-11-22T09:50:00.25Z"}
    lines = prediction_lines(mute)
    assert "last known: feed mute since 2026-11-22 09:50:00 UTC" in lines[0]
    assert "The feed is mute" in lines[0]
    assert prediction_lines(PREDICTION) == [*lines[1:-1], lines[-1].replace("feed_mute", "ok")]


def test_watch_prints_what_becomes_of_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def updates(*_: object) -> Iterator[dict[str, Any]]:
        yield status("feed_mute", "2026-11-22T09:50:00Z")
        yield status("stale", "2026-11-22T09:51:00Z", "AAPL", "IBM", standing=False)
        yield TOLD | {"status": "halted"}
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "stream", updates)
    first, second, third = runner.invoke(app, ["watch"]).output.splitlines()
    assert first == "2026-11-22T09:50:00Z all: feed_mute: The feed is mute."
    assert second.startswith("2026-11-22T09:51:00Z AAPL, IBM: stale")
    assert third.endswith("P(up) 0.517 halted")


def test_the_table_follows_what_becomes_of_the_numbers() -> None:
    shown = watch.Shown()

    def flags(ticker: str = "AAPL") -> list[str]:
        return [flag for flag in shown.numbers()[ticker]["flags"] if flag not in PREDICTION["flags"]]

    shown.take(TOLD)
    shown.take(TOLD | {"ticker": "IBM"})
    assert flags() == []
    shown.take(status("feed_mute", "2026-11-22T09:50:00Z"))
    assert flags() == flags("IBM") == ["feed_mute"]
    assert "feed mute since 2026-11-22 09:50:00 UTC" in _drawn(shown).splitlines()[0]
    shown.take(status("ok", "2026-11-22T09:52:00Z"))
    assert flags() == ["stale"], "it is from before"
    shown.take(TOLD | {"prediction_time": "2026-11-22T09:52:00Z", "flags": [*PREDICTION["flags"], "feed_mute"]})
    assert flags() == [], "what the snapshot said of the feed is over"
    shown.take(status("halted", "2026-11-22T09:53:00Z", "IBM", standing=False))
    assert (flags(), flags("IBM")) == ([], ["halted", "stale"])
    shown.take(status("predict_silent", "2026-11-22T09:54:00Z", "AAPL"))
    assert flags() == ["predict_silent"]
    shown.take(status("ok", "2026-11-22T09:52:00Z"))
    assert flags() == [], "the predictor is heard again"


def _drawn(shown: watch.Shown) -> str:
    console = Console(width=120, record=True)
    console.print(watch.table(shown.numbers(), shown.standing))
    return console.export_text()
