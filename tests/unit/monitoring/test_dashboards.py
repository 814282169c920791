"""The dashboards: their files are current, and Grafana will find what it needs in them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.grafana.__main__ import FOLDER, render
from infra.grafana.dashboards import DASHBOARDS
from infra.grafana.panels import Dashboard

GRAFANA = Path(__file__).parents[3] / "infra" / "grafana"
by_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)


def _panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{dashboard.uid}.json").read_text())["panels"]
    return found


def test_the_owners_dashboards_and_the_live_path_are_there() -> None:
    assert {dashboard.title for dashboard in DASHBOARDS} == {
        "System overview",
        "Prediction monitoring",
        "Model performance",
        "Infrastructure health",
        "Live path",
    }
    assert {file.stem for file in FOLDER.glob("*.json")} == {dashboard.uid for dashboard in DASHBOARDS}


@by_dashboard
def test_the_file_is_generated_from_the_code(dashboard: Dashboard) -> None:
    assert (FOLDER / f"{dashboard.uid}.json").read_text() == render(dashboard), "run `make docs`"


@by_dashboard
def test_panels_lie_beside_each_other(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _panels(dashboard):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        taken |= cells


@by_dashboard
def test_panels_and_queries_have_names_of_their_own(dashboard: Dashboard) -> None:
    panels = _panels(dashboard)
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        queries = [target["refId"] for target in panel["targets"]]
        assert len(set(queries)) == len(queries) > 0


@by_dashboard
def test_panels_ask_the_data_source_that_is_provisioned(dashboard: Dashboard) -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    for panel in _panels(dashboard):
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": source["type"], "uid": source["uid"]}


def test_no_credential_stands_in_a_file() -> None:
    for file in GRAFANA.rglob("*"):
        if file.suffix in {".yml", ".json"}:
            assert "password" not in file.read_text().lower(), file
