"""The page of the models is what the files say, and lineage is what their SQL does."""

from pathlib import Path

import pytest

from dbt_like_sql import column_lineage, graph, render_docs

ROOT = Path(__file__).parents[3]

HEADER = """/*
name: made
materialized: table
description: A model.
columns:
  ticker: {description: symbol}
  value: {description: value}
*/
"""


def test_the_page_is_generated_from_the_models() -> None:
    assert (ROOT / "docs" / "models.md").read_text() == render_docs(), "run `make docs`"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("SELECT ticker, 1 AS value FROM source('tickers')", None),
        ("SELECT ticker, name AS value FROM source('tickers') WHERE is_index", {("tickers", "name")}),
        (
            "WITH t AS (SELECT ticker, high - low AS range FROM source('bars')) "
            "SELECT t.ticker, ln(t.range / b.close) AS value FROM t JOIN source('bars') AS b ON b.ticker = t.ticker",
            {("bars", "high"), ("bars", "low"), ("bars", "close")},
        ),
        (
            "SELECT ticker, lag(close) OVER (PARTITION BY ticker ORDER BY session_date) AS value FROM source('bars')",
            {("bars", "close"), ("bars", "session_date"), ("bars", "ticker")},
        ),
        (
            "SELECT ticker, close AS value FROM source('bars') UNION ALL SELECT ticker, 0 FROM source('tickers')",
            {("bars", "close")},
        ),
        (
            "SELECT t.ticker, b.close AS value FROM source('tickers') AS t CROSS JOIN LATERAL "
            "(SELECT bar.close FROM source('bars') AS bar WHERE bar.ticker = t.ticker LIMIT 1) AS b",
            None,
        ),
    ],
)
def test_a_column_comes_from_what_its_value_is_made_of(
    tmp_path: Path, query: str, wanted: set[tuple[str, str]] | None
) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "made.sql").write_text(HEADER + query)
    models = graph(tmp_path)
    found = column_lineage(models.by_name["made"], models)
    assert ("tickers", "ticker") in found["ticker"] or ("bars", "ticker") in found["ticker"]
    assert (set(found["value"]) if "value" in found else None) == wanted


def test_every_feature_comes_from_somewhere() -> None:
    models = graph()
    features = models.by_name["features_daily"]
    found = column_lineage(features, models)
    assert set(found) == set(features.header.columns)
    assert found["sessions_to_earnings"] == (("earnings_positions", "sessions_to_earnings"),)
    assert ("market_returns", "market_return") in found["beta_60d"]
    latest = column_lineage(models.by_name["latest_features"], models)
    assert latest == {name: (("features_daily", name),) for name in models.by_name["latest_features"].header.columns}
    known = models.columns
    assert all(column in known[table] for origins in found.values() for table, column in origins)
