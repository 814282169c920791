"""Wrong model files are found without a database, by file and line."""

from pathlib import Path

import pytest

from dbt_like_sql import ModelError, graph
from tests.unit.sql.files import HEADER, INCREMENTAL, write


def _refused(folder: Path, line: int, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        graph(folder)
    assert caught.value.line == line


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
        ("DELETE FROM tickers", 8, "a model is one SELECT"),
        ("SELECT ticker FROM ref('a'); SELECT 1", 8, "one SELECT without a semicolon"),
        ("SELECT ticker\nFROM source('tickers')\n;\n", 10, "one SELECT without a semicolon"),
        ("SELECT name FROM source('tickers')", 5, "not those of the SELECT: name, ticker"),
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
        ("/*\nname: {name}\nmaterialized: cube\ndescription: x\ncolumns: {{}}\n*/\n", 3, "does not fit"),
        ("/*\nname: {name}\nsurprise: 1\n*/\n", 3, "does not fit"),
        (HEADER.replace("symbol", "symbol, range: [low, 1]"), 6, "does not fit"),
        (HEADER.replace("symbol", "symbol, surprise: 1"), 6, "does not fit"),
        (HEADER.replace("symbol", "symbol, warn: true"), 6, "no range of which to warn"),
        (HEADER.replace("{name}", "other"), 2, "lies in a file of another name"),
        (HEADER.replace("{name}", "a b; drop"), 2, "is not a name"),
        (HEADER.replace("materialized", "schema: x; drop\nmaterialized"), 3, "is not a name"),
        (HEADER.replace("ticker:", "Ticker:"), 6, "is not a name"),
        (HEADER.replace("materialized", "schema: public\nmaterialized"), 3, "public.a is not to be filled"),
        (HEADER.replace("table", "incremental"), 3, "needs unique_key and cut_by"),
        (HEADER.replace("description: A", "unique_key: [day]\ndescription: A"), 4, "undeclared columns: day"),
    ],
)
def test_a_wrong_header_is_named_by_file_and_line(tmp_path: Path, header: str, line: int, message: str) -> None:
    write(tmp_path, "a", "SELECT ticker FROM source('tickers')", header)
    _refused(tmp_path, line, message)


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        (INCREMENTAL.replace("unique_key: [ticker, day]", "unique_key: [ticker]"), 4, "not in the unique_key: day"),
        (INCREMENTAL.replace("cut_by: day", "cut_by: date"), 5, "undeclared columns: date"),
        (INCREMENTAL.replace("session}}", "session, relationship: tickers.x}}"), 10, "not read"),
    ],
)
def test_a_wrong_incremental_header_is_named(tmp_path: Path, header: str, line: int, message: str) -> None:
    write(tmp_path, "a", "SELECT ticker, session_date AS day FROM source('bars')", header)
    _refused(tmp_path, line, message)


@pytest.mark.parametrize("name", ["tickers", "bars"])
def test_a_model_does_not_take_the_name_of_a_source(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "SELECT ticker FROM source('tickers')")
    with pytest.raises(ModelError, match=f"the name {name} is taken by the source") as caught:
        graph(tmp_path)
    assert caught.value.line == 2
    write(tmp_path, name, "SELECT ticker FROM source('market_data')", HEADER.replace("name:", "schema: public\nname:"))
    if name == "bars":
        with pytest.raises(ModelError, match=r"public\.bars is not to be filled"):
            graph(tmp_path)
    else:
        assert graph(tmp_path).relations["tickers"] == "public.tickers"
