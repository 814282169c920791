"""Tests of models: those that a header promises, and those in files of their own."""

from pathlib import Path

import pytest

from dbt_like_sql import ModelError, checks_of, graph
from tests.unit.sql.files import HEADER, TEST, write, write_test


def test_a_test_belongs_to_the_last_model_that_it_refers_to(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    write_test(tmp_path, "both", "SELECT 1 FROM ref('b') JOIN ref('a') USING (ticker)")
    write_test(tmp_path, "first", "SELECT 1 FROM ref('b') WHERE ticker = ''")
    found = graph(tmp_path / "models")
    assert {name: [test.name for test in tests] for name, tests in found.tests_of.items()} == {
        "a": ["both"],
        "b": ["first"],
    }
    check = next(check for check in checks_of(found.by_name["a"], found) if check.name == "both")
    assert (check.description, check.after) == ("A test.", True)
    assert "staging.b JOIN staging.a" in str(check.count)


@pytest.mark.parametrize(
    ("query", "header", "line", "message"),
    [
        ("SELECT 1\nFROM ref('nowhere')", TEST, 6, "unknown ref 'nowhere'"),
        ("SELECT 1 FROM source('tickers')", TEST, 1, "refers to at least one model"),
        ("SELECT 1\nFROM staging.a", TEST, 6, "a is named directly"),
        ("SELECT 1 FROM (", TEST, 5, "not valid SQL"),
        ("SELECT 1 FROM ref('a')", "/*\nname: {name}\n*/\n", 1, "does not fit"),
        ("SELECT 1 FROM ref('a')", TEST.replace("A test.", "A test.\nsurprise: 1"), 4, "does not fit"),
        ("SELECT 1 FROM ref('a')", TEST.replace("{name}", "other"), 2, "a file of another name"),
    ],
)
def test_a_wrong_test_is_named_by_file_and_line(
    tmp_path: Path, query: str, header: str, line: int, message: str
) -> None:
    (tmp_path / "models").mkdir()
    path = write_test(tmp_path, "wrong", query, header)
    with pytest.raises(ModelError) as caught:
        graph(tmp_path / "models")
    assert message in caught.value.cause
    assert (caught.value.path, caught.value.line) == (path, line)


def test_every_promise_of_a_header_is_a_test(tmp_path: Path) -> None:
    columns = '{{description: symbol, not_null: true, accepted_values: [AAPL, "it\'s"], relationship: tickers.ticker}}'
    header = HEADER.replace("{{description: symbol}}", columns).replace("columns:", "minimum_rows: 3\ncolumns:")
    write(tmp_path, "a", "SELECT ticker FROM source('tickers')", header.replace("name:", "unique_key: [ticker]\nname:"))
    found = graph(tmp_path)
    checks = {check.name: check for check in checks_of(found.by_name["a"], found)}
    assert list(checks) == [
        "unique_ticker", "not_null_ticker", "accepted_values_ticker", "relationship_ticker", "minimum_rows",
    ]  # fmt: skip
    assert checks["accepted_values_ticker"].wrong == "CAST(ticker AS text) NOT IN ('AAPL', 'it''s')"


def test_the_product_s_tests_have_their_models() -> None:
    found = graph()
    belonging = {test.name: name for name, tests in found.tests_of.items() for test in tests}
    assert belonging == {
        "outcomes_come_after_predictions": "prediction_outcomes",
        "accuracy_counts_every_outcome": "accuracy",
        "calibration_counts_every_outcome": "interval_coverage",
        "latest_features_are_the_newest": "ticker_summary",
    }
