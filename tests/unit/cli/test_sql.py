"""`riskee sql` without a database: what is run, what is said, what is refused."""

import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pytest
from typer.testing import CliRunner

import dbt_like_sql
from dbt_like_sql import CheckError, ModelRun, TestRun, graph, render_docs
from riskee.cli.app import app
from riskee.errors import NotFoundError, PoisonError, RetryableError

runner = CliRunner()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the runner was asked for; each model answers."""
    found: list[dict[str, Any]] = []

    def run(
        _engine: object,
        parameters: object,
        select: Iterable[str],
        on_model: Callable[[ModelRun], None],
        **options: object,
    ) -> None:
        found.append({"select": list(select), "parameters": parameters} | options)
        for name in select:
            on_model(ModelRun(name, 1000, 10, 3, "IBM from 2020-01-02", {"unique": 0, "range": 0}, 0.5))

    monkeypatch.setattr(dbt_like_sql, "run", run)
    return found


def test_every_model_is_run_in_order(asked: list[dict[str, Any]]) -> None:
    result = runner.invoke(app, ["sql", "run"])
    assert result.exit_code == 0, result.output
    (call,) = asked
    assert call["select"] == [model.name for model in graph().models]
    assert (call["since"], call["until"], call["full"]) == (None, None, False)
    assert call["parameters"] == {"market_ticker": "SPX"}
    assert "IBM from 2020-01-02" in result.output


def test_the_named_models_and_the_window_are_passed_on(asked: list[dict[str, Any]]) -> None:
    options = ["latest_features", "features_daily", "--full", "--from", "2020-01-02", "--to", "2020-02-03"]
    assert runner.invoke(app, ["sql", "run", *options]).exit_code == 0
    assert asked[0]["select"] == ["features_daily", "latest_features"]
    assert (asked[0]["since"], asked[0]["until"], asked[0]["full"]) == (date(2020, 1, 2), date(2020, 2, 3), True)


@pytest.mark.parametrize(
    "command", [["sql", "run"], ["verify", "parity"], ["backfill"], ["data", "fetch", "yahoo", "IBM"]]
)
def test_days_that_end_before_they_begin_are_refused_wherever_they_are_named(command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--from", "2020-02-03", "--to", "2020-01-02"])
    assert isinstance(result.exception, PoisonError)
    assert result.exception.cause == "--from 2020-02-03 is after --to 2020-01-02"
    told = runner.invoke(app, [*command[:2], "--help"], env={"COLUMNS": "80"}, terminal_width=80).output
    assert "DATE" in told
    assert "%Y" not in told


def test_what_only_warns_is_counted_and_no_failure(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_like_sql, "run_tests", lambda *_: [TestRun("accuracy", "range", "In range.", 2, warn=True)])
    result = runner.invoke(app, ["sql", "test", "accuracy"])
    assert result.exit_code == 0
    assert "range" in result.output
    assert "0 hold" in result.output


def test_a_run_is_told_as_json(asked: list[dict[str, Any]]) -> None:
    result = runner.invoke(app, ["sql", "run", "features_daily", "--json"])
    (row,) = json.loads(result.stdout)
    assert (row["name"], row["rows"], row["computed"], row["changed"]) == ("features_daily", 1000, 10, 3)


@pytest.mark.parametrize("command", ["run", "test", "show"])
def test_an_unknown_model_is_named_with_those_that_are_known(command: str) -> None:
    result = runner.invoke(app, ["sql", command, "nowhere"])
    assert isinstance(result.exception, NotFoundError)
    assert "nowhere" in result.exception.cause
    assert "features_daily" in result.exception.remedy


def test_a_failing_run_raises_what_the_runner_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise CheckError("features_daily", {"range_rsi_14": 2})

    monkeypatch.setattr(dbt_like_sql, "run", run)
    result = runner.invoke(app, ["sql", "run"])
    assert isinstance(result.exception, CheckError)
    assert result.exception.failures == {"range_rsi_14": 2}


@pytest.mark.parametrize("wrong", [0, 5])
def test_tests_are_counted_and_a_failure_is_an_error(monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    found = [TestRun("accuracy", "unique", "No two rows.", 0), TestRun("accuracy", "range", "In range.", wrong)]
    monkeypatch.setattr(dbt_like_sql, "run_tests", lambda *_: found)
    result = runner.invoke(app, ["sql", "test", "accuracy"])
    assert f"2 tests of 1 models: {2 - bool(wrong)} hold" in result.output
    assert isinstance(result.exception, PoisonError) == bool(wrong)
    rows = json.loads(runner.invoke(app, ["sql", "test", "accuracy", "--json"]).stdout)
    assert [row["wrong"] for row in rows] == [0, wrong]


def test_the_page_is_printed_as_it_is() -> None:
    assert runner.invoke(app, ["sql", "docs"]).stdout == render_docs()


def test_a_model_is_shown_also_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def stored_state(*_: object) -> None:
        raise RetryableError("the database does not answer", "start it")

    monkeypatch.setattr(dbt_like_sql, "stored_state", stored_state)
    found = json.loads(runner.invoke(app, ["sql", "show", "market_returns", "--json"]).stdout)
    assert (found["rows"], found["database"]) == (None, "the database does not answer")
    assert found["reads"] == ["bars_adjusted"]
    assert "features_daily" in found["read_by"]
    assert "FROM staging.bars_adjusted" in found["sql"]
    assert found["sql"].startswith("WITH moves AS")
    column = next(column for column in found["columns"] if column["name"] == "market_return")
    assert (column["unit"], column["from"]) == ("log return", ["bars_adjusted.close"])
    text = runner.invoke(app, ["sql", "show", "market_returns"]).output
    assert "rows unknown" in text
    assert "range_market_return" in text


def test_a_model_is_shown_with_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt_like_sql, "stored_state", lambda *_: (1234, None))
    assert "1,234 rows" in runner.invoke(app, ["sql", "show", "market_returns"]).output
