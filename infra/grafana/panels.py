"""Panels and dashboards, and what Grafana reads of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["timeseries", "stat", "bargauge", "heatmap", "table"]
# Grafana's grid.
_COLUMNS, _HEIGHT = 24, 8
_DATA_SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True)
class Panel:
    """A title, queries by the legend of what they give, and Grafana's name of their unit."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 8
    about: str = ""


@dataclass(frozen=True)
class Dashboard:
    """A page of panels. `uid` is its name in addresses and files."""

    uid: str
    title: str
    panels: Sequence[Panel]

    def document(self) -> dict[str, Any]:
        """What Grafana reads."""
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["riskee"],
            "schemaVersion": 39,
            "editable": False,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[dict[str, Any]]:
        x = y = 0
        for number, panel in enumerate(self.panels, 1):
            if x + panel.width > _COLUMNS:
                x, y = 0, y + _HEIGHT
            place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}
            yield _document(panel, number, place)
            x += panel.width


def _document(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    instant = panel.kind in {"stat", "bargauge", "table"}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": _DATA_SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _DATA_SOURCE,
                "expr": query,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
                "format": {"heatmap": "heatmap", "table": "table"}.get(panel.kind, "time_series"),
            }
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


_OPTIONS: Mapping[Kind, dict[str, Any]] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name", "colorMode": "background"},
    "bargauge": {"reduceOptions": {"calcs": ["lastNotNull"]}, "orientation": "horizontal", "displayMode": "gradient"},
    "heatmap": {"calculate": False, "yAxis": {"axisPlacement": "left"}, "color": {"mode": "scheme", "scheme": "Blues"}},
    "table": {"showHeader": True},
}
