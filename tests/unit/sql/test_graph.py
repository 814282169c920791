"""What the graph knows of models without a database."""

from pathlib import Path

import pytest

from dbt_like_sql import ModelError, graph
from riskee.features.definitions import FEATURES
from tests.unit.sql.files import HEADER, INCREMENTAL, write


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


def test_a_cycle_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker FROM ref('b')")
    write(tmp_path, "b", "SELECT ticker FROM ref('c')")
    write(tmp_path, "c", "SELECT ticker FROM ref('a')")
    with pytest.raises(ModelError, match=r"refer to each other: (a|b|c) → .* → "):
        graph(tmp_path)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    write(tmp_path, "a", "SELECT ticker FROM source('tickers')")
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts" / "a.sql").write_text((tmp_path / "staging" / "a.sql").read_text())
    with pytest.raises(ModelError, match=r"the name a is taken by .*a\.sql") as caught:
        graph(tmp_path)
    assert caught.value.line == 2


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
    latest = found.by_name["latest_features"].header.columns
    described = {name: (column.unit, column.description) for name, column in latest.items()}
    assert list(described.items())[2:] == list(declared.items())[2:]


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
