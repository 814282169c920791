"""Wrong model files are found without a database, by file and line."""

from pathlib import Path

import pytest

from dbt_like_sql import ModelError, checks_of, graph
from riskee.features.definitions import FEATURES

HEADER = """/*
name: {name}
materialized: table
description: A model.
columns:
  ticker: {{description: symbol}}
*/
"""


def write(folder: Path, name: str, query: str, header: str = HEADER) -> Path:
    path = folder / "staging" / f"{name}.sql"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(header.format(name=name) + query)
    return path


def test_models_run_after_those_they_refer_to(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker FROM ref('b')")
    write(tmp_path, "b", "SELECT ticker FROM source('tickers')")
    found = graph(tmp_path)
    assert [model.name for model in found.models] == ["b", "a"]
    assert found.by_name["b"].sources == ("tickers",)
    assert [model.name for model in found.select(["a"])] == ["a"]


def test_references_are_replaced_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "b", "SELECT ticker FROM source('tickers')")
    query = (
        "-- ref('b') in a comment\nSELECT ticker\nFROM ref('b') AS x\nWHERE ticker <> 'ref(''b'')' AND ticker > :low"
    )
    write(tmp_path, "a", query)
    found = graph(tmp_path)
    model = found.by_name["a"]
    assert model.compiled(found.relations).endswith(query.replace("FROM ref('b')", "FROM staging.b"))
    assert model.parameters == {"low"}


def test_a_digest_changes_with_the_file(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker FROM source('tickers')")
    before = graph(tmp_path).by_name["a"].sha256
    write(tmp_path, "a", "SELECT ticker FROM source('tickers') WHERE is_index")
    assert graph(tmp_path).by_name["a"].sha256 != before


@pytest.mark.parametrize(
    ("query", "line", "message"),
    [
        ("SELECT ticker\nFROM ref('nowhere')", 9, "unknown ref 'nowhere'"),
        ("SELECT ticker\n\nFROM source('nowhere')", 10, "unknown source 'nowhere'"),
        ("SELECT ticker\nFROM tickers", 9, "tickers is named directly"),
        ("SELECT ticker\nFROM public.tickers", 9, "tickers is named directly"),
        ("SELECT ticker FROM ref('a', 'b')", 8, "ref(…) is not a table"),
        ("SELECT ticker\nFROM unnest(ARRAY['x']) AS t (ticker)\nJOIN reff('a') USING (ticker)", 10, "reff(…) is not"),
        ("SELECT ticker\nFROM (SELECT", 9, "not valid SQL"),
        ("SELECT 'AAPL AS ticker", 8, "not valid SQL"),
        ("DELETE FROM tickers", 1, "a model is one SELECT"),
        ("SELECT ticker FROM ref('a'); SELECT 1", 1, "a model is one SELECT"),
        ("SELECT name FROM source('tickers')", 1, "not those of the SELECT: name, ticker"),
    ],
)
def test_a_wrong_query_is_named_by_file_and_line(tmp_path: Path, query: str, line: int, message: str) -> None:
    path = write(tmp_path, "a", query)
    with pytest.raises(ModelError) as caught:
        graph(tmp_path)
    assert message in caught.value.cause
    assert (caught.value.path, caught.value.line) == (path, line)
    assert str(caught.value).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("", 1, "does not begin with a header"),
        ("/*\nname: {name}\n  bad: [\n*/\n", 3, "not YAML"),
        ("/*\nname: {name}\nmaterialized: cube\ndescription: x\ncolumns: {{}}\n*/\n", 1, "does not fit"),
        ("/*\nname: {name}\nsurprise: 1\n*/\n", 1, "does not fit"),
        (HEADER.replace("table", "incremental"), 3, "needs unique_key and cut_by"),
        (HEADER.replace("description: A", "unique_key: [day]\ndescription: A"), 4, "undeclared columns: day"),
    ],
)
def test_a_wrong_header_is_named_by_file_and_line(tmp_path: Path, header: str, line: int, message: str) -> None:
    write(tmp_path, "a", "SELECT ticker FROM source('tickers')", header)
    with pytest.raises(ModelError, match=message) as caught:
        graph(tmp_path)
    assert caught.value.line == line


def test_a_cycle_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker FROM ref('b')")
    write(tmp_path, "b", "SELECT ticker FROM ref('c')")
    write(tmp_path, "c", "SELECT ticker FROM ref('a')")
    with pytest.raises(ModelError, match=r"refer to each other: (a|b|c) → .* → "):
        graph(tmp_path)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker FROM source('tickers')")
    (tmp_path / "staging" / "z.sql").write_text(HEADER.format(name="a") + "SELECT ticker FROM source('tickers')")
    with pytest.raises(ModelError, match=r"the name a is taken by .*a\.sql"):
        graph(tmp_path)


def test_a_model_may_not_refer_to_itself(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker FROM ref('a')")
    with pytest.raises(ModelError, match="refer to each other: a → a"):
        graph(tmp_path)


def test_the_product_s_models_stand() -> None:
    found = graph()
    assert {"features_daily", "latest_features", "ticker_summary"} <= found.by_name.keys()
    features = found.by_name["features_daily"]
    assert features.relation == "public.features_daily"
    declared = {name: (column.unit, column.description) for name, column in features.header.columns.items()}
    assert declared == {
        "ticker": ("", "exchange symbol"),
        "session_date": ("", "trading session"),
        **{feature.name: (feature.unit, feature.definition) for feature in FEATURES},
    }
    assert list(declared)[2:] == [feature.name for feature in FEATURES]


INCREMENTAL = """/*
name: {name}
materialized: incremental
unique_key: [ticker, day]
cut_by: day
split_by: ticker
description: A model.
columns:
  ticker: {{description: symbol}}
  day: {{description: session}}
*/
"""


def test_an_incremental_model_reads_only_what_tells_its_changes(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker, report_date AS day\nFROM source('earnings_calendar')", INCREMENTAL)
    with pytest.raises(ModelError, match="nothing tells what changed in earnings_calendar") as caught:
        graph(tmp_path)
    assert caught.value.line == 13
    assert "bars, market_data" in caught.value.remedy
    write(tmp_path, "a", "SELECT ticker, session_date AS day FROM source('bars')", INCREMENTAL)
    assert graph(tmp_path).models


def test_an_incremental_model_is_computed_from_what_its_views_read(tmp_path: Path) -> None:
    view = HEADER.replace("materialized: table", "materialized: view")
    write(tmp_path, "a", "SELECT ticker, current_date AS day FROM ref('v')", INCREMENTAL)
    write(tmp_path, "v", "SELECT ticker FROM ref('b') JOIN source('bars') AS bar USING (ticker)", view)
    write(tmp_path, "b", "SELECT ticker FROM source('tickers')")
    found = graph(tmp_path)
    assert found.inputs(found.by_name["a"]) == {"b", "bars"}
    assert [reader.name for reader in found.readers(found.by_name["b"])] == ["a"]


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        (INCREMENTAL.replace("unique_key: [ticker, day]", "unique_key: [ticker]"), 4, "not in the unique_key: day"),
        (INCREMENTAL.replace("cut_by: day", "cut_by: date"), 5, "undeclared columns: date"),
        (INCREMENTAL.replace("session}}", "session, relationship: tickers.x}}"), 1, "not read"),
    ],
)
def test_a_wrong_incremental_header_is_named(tmp_path: Path, header: str, line: int, message: str) -> None:
    write(tmp_path, "a", "SELECT ticker, session_date AS day FROM source('bars')", header)
    with pytest.raises(ModelError, match=message) as caught:
        graph(tmp_path)
    assert caught.value.line == line


TEST = """/*
name: {name}
description: A test.
*/
"""


def write_test(folder: Path, name: str, query: str, header: str = TEST) -> Path:
    """A test beside the models of the folder `models`."""
    write(folder / "models", "b", "SELECT ticker FROM source('tickers')")
    write(folder / "models", "a", "SELECT ticker FROM ref('b')")
    path = folder / "tests" / f"{name}.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(header.format(name=name) + query)
    return path


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
        ("SELECT 1 FROM ref('a')", TEST.replace("{name}", "other"), 1, "a file of another name"),
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
