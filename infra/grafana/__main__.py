"""Writes infra/grafana/dashboards/*.json. `python -m infra.grafana`; a test compares."""

import json
from pathlib import Path

from infra.grafana.dashboards import DASHBOARDS
from infra.grafana.panels import Dashboard

FOLDER = Path(__file__).parent / "dashboards"


def render(dashboard: Dashboard) -> str:
    """The text of a dashboard's file."""
    return json.dumps(dashboard.document(), indent=2) + "\n"


if __name__ == "__main__":
    for each in DASHBOARDS:
        (FOLDER / f"{each.uid}.json").write_text(render(each))
