"""The code location as a whole: it loads, nothing is missing, and a change of the graph is seen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from riskee.documents.document import COLLECTIONS
from riskee_dagster.declare import RETRY
from riskee_dagster.definitions import riskee
from riskee_dagster.defs import features, ingestion, outcomes
from riskee_dagster.partitions import DAILY, SINGLE_RUN

GOLDEN = Path(__file__).parents[2] / "golden" / "asset_graph.json"
# Loading the definitions must stay fast: these are for the runs.
HEAVY = ("pandas", "lightgbm", "sklearn", "onnxruntime", "qdrant_client", "exchange_calendars")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return riskee()


def test_loads_without_a_warning(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_loading_imports_nothing_heavy_and_connects_nowhere() -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection while loading')\n"
        "socket.socket.connect = refuse\n"
        "from riskee_dagster.definitions import riskee\n"
        "riskee()\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def _partitions(definition: dg.PartitionsDefinition | None) -> str | None:
    if definition is None:
        return None
    assert isinstance(definition, dg.TimeWindowPartitionsDefinition)
    return f"{definition.cron_schedule} {definition.timezone} from {definition.start:%Y-%m-%d}"


def _late_after(policy: object) -> float | None:
    """Of the compose profile: on the embedded stack most history stands still."""
    if policy is None:
        return None
    assert isinstance(policy, TimeWindowFreshnessPolicy)
    return policy.fail_window.to_timedelta().total_seconds() / 3600


def graph_of(definitions: dg.Definitions) -> dict[str, object]:
    graph = definitions.resolve_asset_graph()
    checks: dict[dg.AssetKey, list[str]] = {}
    for check in graph.asset_check_keys:
        checks.setdefault(check.asset_key, []).append(check.name)
    return {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "kinds": sorted(graph.get(key).kinds),
            "owners": list(graph.get(key).owners),
            "described": bool(graph.get(key).description),
            "reads": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "checks": sorted(checks.get(key, [])),
            "pools": sorted(graph.get(key).pools or ()),
            "partitions": _partitions(graph.get(key).partitions_def),
            "late_after_hours": _late_after(graph.get(key).freshness_policy),
        }
        for key in sorted(graph.get_all_asset_keys())
    }


def test_the_asset_graph_is_the_recorded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wanted change: RISKEE_TEST_UPDATE_GOLDEN=1 pytest tests/unit/dagster"""
    monkeypatch.setenv("RISKEE_PROFILE", "compose")
    found = json.dumps(graph_of(riskee()), indent=2) + "\n"
    if os.environ.get("RISKEE_TEST_UPDATE_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_a_check_of_its_own_step_is_repeated_as_assets_are() -> None:
    checks = [*features.CHECKS, *ingestion.CHECKS, *outcomes.CHECKS]
    assert len(checks) == 4
    assert [check.op.retry_policy for check in checks] == [RETRY] * len(checks)


def test_every_asset_says_what_it_is_and_whose(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.is_materializable, key
        assert node.description, key
        assert node.code_version, key
        assert node.kinds, key
        assert node.group_name not in (None, "default"), key
        assert list(node.owners) == ["team:quant"], key


def test_every_collection_has_documents_and_vectors(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_all_asset_keys()
    wanted = {dg.AssetKey([kind, name]) for kind in ("documents", "embeddings") for name in COLLECTIONS}
    assert wanted <= set(keys)


def test_the_pipeline_selects_everything_and_no_step_starts_a_process(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("pipeline")
    assert set(job.asset_layer.selected_asset_keys) == set(definitions.resolve_all_asset_keys())
    assert job.executor_def.name == "in_process"


def test_a_backfill_is_one_run_whatever_its_range(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    by_day = [graph.get(key) for key in graph.get_all_asset_keys() if graph.get(key).partitions_def is not None]
    assert {node.key for node in by_day} >= {dg.AssetKey("features_daily")}
    assert all(node.partitions_def == DAILY for node in by_day), "by day, and never by ticker"
    assert all(node.backfill_policy == SINGLE_RUN for node in by_day)
    job = definitions.resolve_job_def("backfill")
    assert job.partitions_def == DAILY
    assert {node.key for node in by_day} <= set(job.asset_layer.selected_asset_keys)


def test_nothing_is_late_on_the_embedded_stack_that_no_schedule_makes_there(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    job = definitions.resolve_job_def("monitor")
    assert definitions.resolve_schedule_def("monitor_hourly").default_status.value == "RUNNING"
    late = {key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy is not None}
    hourly = set(job.asset_layer.selected_asset_keys)
    assert late <= hourly
    # Besides, the views that these read: so they are of this version soon after an update.
    assert hourly - late >= {dg.AssetKey("accuracy"), dg.AssetKey("prediction_outcomes")}
    assert {graph.get(key).group_name for key in hourly - late} == {"marts"}


def test_refresh_and_retrain_share_the_work(definitions: dg.Definitions) -> None:
    selected = {
        name: set(definitions.resolve_job_def(name).asset_layer.selected_asset_keys) for name in ("refresh", "retrain")
    }
    assert selected["refresh"] | selected["retrain"] == set(definitions.resolve_all_asset_keys())
    graph = definitions.resolve_asset_graph()
    assert not any(graph.get(key).group_name == "models" for key in selected["refresh"])
    assert dg.AssetKey(["embeddings", "prediction_context"]) in selected["retrain"]


@pytest.mark.parametrize(("profile", "status"), [("embedded", "STOPPED"), ("compose", "RUNNING")])
def test_schedules_of_growing_history_stand_still_on_the_embedded_stack(
    profile: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKEE_PROFILE", profile)
    definitions = riskee()
    assert definitions.resolve_schedule_def("refresh_nightly").default_status.value == status
    assert definitions.resolve_schedule_def("retrain_weekly").default_status.value == status
    assert definitions.resolve_schedule_def("maintenance_daily").default_status.value == "RUNNING"
