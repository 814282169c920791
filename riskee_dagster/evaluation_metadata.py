"""What Dagster's UI shows of a training: its decision, its tables and its charts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from riskee.model.evaluation import Measures
    from riskee.model.training import TrainingResult

SHOWN = (
    "daily_rank_ic", "ic", "hit_rate", "brier", "log_loss", "calibration_error", "coverage_80", "width_80", "mae_skill",
)  # fmt: skip
CHARTS = ("reliability", "ic_over_time", "importance")


def training_metadata(result: "TrainingResult") -> dict[str, dg.MetadataValue]:
    """The metadata of a candidate."""
    from riskee.model.charts import data_uri
    from riskee.model.report import draw

    found, artifact = result.evaluation, result.artifact
    charts = draw(found)
    shown: dict[str, dg.MetadataValue] = {
        "version": dg.MetadataValue.text(artifact.version),
        "decision": dg.MetadataValue.text(result.decision),
        "reason": dg.MetadataValue.text(result.reason),
        "walk_forward": dg.MetadataValue.md(table(found.walk_forward.methods)),
        "trained_through": dg.MetadataValue.text(artifact.trained_through.isoformat()),
        "dagster/row_count": dg.MetadataValue.int(result.rows),
        "parameters": dg.MetadataValue.json(result.parameters),
        "trials": dg.MetadataValue.int(result.trials),
    }
    if found.holdout is not None:
        sealed = f"{found.holdout.first} to {found.holdout.last}, opened {found.holdout.opened} times"
        shown["holdout"] = dg.MetadataValue.md(f"{sealed}\n\n{table(found.holdout.methods)}")
    for name in CHARTS:
        if name in charts:
            shown[name] = dg.MetadataValue.md(f"![{name}]({data_uri(charts[name])})")
    return shown


def table(methods: Mapping[str, "Measures"]) -> str:
    """Measures of methods as a table of Markdown, with the ends of the intervals that there are."""
    rows = ["| method | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for name, measures in methods.items():
        flat = measures.flat()
        cells = " | ".join(_cell(flat, measure) for measure in SHOWN)
        rows.append(f"| {'**model**' if name == 'model' else name} | {cells} |")
    return "\n".join(rows)


def _cell(flat: Mapping[str, float | None], measure: str) -> str:
    value, low, high = (flat.get(name) for name in (measure, f"{measure}_low", f"{measure}_high"))
    if value is None:
        return ""
    return f"{value:.4f}" if low is None or high is None else f"{value:.4f} ({low:.3f} … {high:.3f})"
