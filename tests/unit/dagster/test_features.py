"""SQL models as assets: what happens when their rows break a promise. No database."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from dbt_like_sql import CheckError, Graph, ModelRun, graph
from riskee.settings import Settings
from riskee_dagster.defs import features
from riskee_dagster.resources import Platform

HELD = ("unique_session_date", "not_null_session_date", "not_null_place", "range_place")
DONE = ModelRun("session_places", 7, computed=7, changed=3, scope="all", tests=dict.fromkeys(HELD, 0), seconds=0.1)


@dg.asset(deps=["session_places"])
def reader() -> None:
    pass


def materialize(monkeypatch: pytest.MonkeyPatch, answer: ModelRun | CheckError) -> dg.ExecuteInProcessResult:
    def run(
        _engine: object, _parameters: object, select: list[str], *, models: Graph, **_days: object
    ) -> list[ModelRun]:
        assert select == ["session_places"]
        assert models is features.MODELS, "not parsed anew"
        if isinstance(answer, CheckError):
            raise answer
        return [answer]

    monkeypatch.setattr("dbt_like_sql.run", run)
    columns = graph().by_name["session_places"].header.columns
    monkeypatch.setattr(features, "column_types", lambda _engine, _relation: dict.fromkeys(columns, "bigint"))
    (asset,) = (a for a in features.ASSETS if a.key == dg.AssetKey("session_places"))
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [asset.map_asset_specs(lambda spec: spec.replace_attributes(deps=[])), reader],
            instance=instance,
            resources={"riskee": Platform(Settings())},
            raise_on_error=False,
        )


def test_a_model_whose_rows_hold_is_materialised_with_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(monkeypatch, DONE)
    assert result.success
    (event,) = result.asset_materializations_for_node("session_places")
    assert event.metadata["dagster/row_count"].value == 7
    assert event.metadata["changed"].value == 3
    lineage = event.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert lineage.deps_by_column["place"] == [dg.TableColumnDep(dg.AssetKey("trading_sessions"), "session_date")]
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == dict.fromkeys(HELD, True)


def test_a_test_that_was_not_run_has_no_result_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(monkeypatch, replace(DONE, tests={"not_null_place": 0}))
    assert result.success
    assert [check.check_name for check in result.get_asset_check_evaluations()] == ["not_null_place"]
    assert [event for event in result.all_events if event.step_key == "reader" and event.is_step_success]
    result = materialize(monkeypatch, CheckError("session_places", {"not_null_place": 2}))
    assert not result.success
    assert [check.check_name for check in result.get_asset_check_evaluations()] == ["not_null_place"]


def test_broken_rows_fail_the_check_and_stop_what_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(monkeypatch, CheckError("session_places", {"not_null_place": 2}))
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_materialization]
    (broken,) = (check for check in result.get_asset_check_evaluations() if not check.passed)
    assert (broken.check_name, broken.blocking) == ("not_null_place", True)
    assert broken.metadata["wrong_rows"].value == 2
    assert not [event for event in result.all_events if event.step_key == "reader"]


def test_there_is_an_asset_for_each_model_with_its_references() -> None:
    models: Graph = graph()
    found: dict[str, Any] = {asset.key.to_user_string(): asset for asset in features.ASSETS}
    assert set(found) == set(models.by_name)
    for model in models.models:
        reads = {key.to_user_string() for key in found[model.name].asset_deps[found[model.name].key]}
        assert reads == {features.FILLED_BY.get(name, name) for name in (*model.refs, *model.sources)}
