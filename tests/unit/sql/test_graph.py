"""Wrong model files are found without a database, by file and line."""

from pathlib import Path

import pytest

from dbt_like_sql import ModelError, graph
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
    path.parent.mkdir(exist_ok=True)
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
