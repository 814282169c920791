"""The dashboards: their files are current, and Grafana will find what it needs in them."""

import json
from collections.abc import Iterator
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


def _unknown(given: Any, understood: Any, path: str = "") -> Iterator[str]:
    """What was given and not understood."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for name, value in given.items():
            if name in understood:
                yield from _unknown(value, understood[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(given, list) and isinstance(understood, list) and len(given) == len(understood):
        for place, (value, other) in enumerate(zip(given, understood, strict=True)):
            yield from _unknown(value, other, f"{path}[{place}]")
    elif given != understood:
        yield path


def _read_by_grafanas_types(document: dict[str, Any]) -> Any:
    """As the types of Grafana's own schema, those of each kind of panel too, take it and give it back."""
    why = "`make deployment` installs grafana-foundation-sdk"
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins", reason=why)
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder").JSONEncoder
    plugins.register_default_plugins()
    types = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    return json.loads(json.dumps(types.Dashboard.from_json(document), cls=encoder))


@by_dashboard
def test_grafanas_own_types_know_all_that_is_in_it(dashboard: Dashboard) -> None:
    document = json.loads((FOLDER / f"{dashboard.uid}.json").read_text())
    assert list(_unknown(document, _read_by_grafanas_types(document))) == []


def test_grafanas_types_do_not_know_what_is_misspelt() -> None:
    document = json.loads((FOLDER / f"{DASHBOARDS[0].uid}.json").read_text())
    panel = next(panel for panel in document["panels"] if panel["type"] == "timeseries")
    for part, name in (
        (document, "refreshh"),
        (panel["gridPos"], "left"),
        (panel["options"]["legend"], "displayMod"),
        (panel["targets"][0], "query"),
    ):
        part[name] = "x"
    unknown = {path.rsplit(".", 1)[1] for path in _unknown(document, _read_by_grafanas_types(document))}
    assert unknown == {"left", "displayMod", "refreshh", "query"}


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
