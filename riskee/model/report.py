"""A training's evaluation as one HTML file that loads nothing, and its charts."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from riskee.features.definitions import BY_NAME
from riskee.model import charts
from riskee.model.artifact import report_path
from riskee.model.evidence import MODEL, DailyIc, Evaluation, TickerScore
from riskee.model.uncertainty import Estimate, estimate

if TYPE_CHECKING:
    from riskee.model.training import TrainingResult

NAMES = {
    "model": "model",
    "zero": "no move",
    "last_return": "last return",
    "climatology": "climatology",
    "ridge": "ridge",
    "logistic": "logistic",
    "ewma_interval": "EWMA interval",
}
# Sessions behind each point of a correlation over time: a quarter.
ROLLING = 60
# Fewer tickers are better listed than counted.
LEAST_FOR_HISTOGRAM = 20
_GAIN = "gain_over_"


def write_report(home: Path, result: "TrainingResult") -> Path:
    """Write the report of a training whole, in place of a former one of the same model. Answers its path."""
    path = report_path(home, result.artifact.version)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(render(result), encoding="utf-8")
    temporary.replace(path)
    return path


def render(result: "TrainingResult") -> str:
    """The report's HTML; the same result gives the same text."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"number": _number, "minus": charts.minus}
    template = environment.from_string(files("riskee.model").joinpath("report.html").read_text(encoding="utf-8"))
    found = result.evaluation
    return template.render(
        result=result,
        artifact=result.artifact,
        found=found,
        names=NAMES,
        style=charts.STYLE,
        charts=draw(found),
        gains={name.removeprefix(_GAIN): bound for name, bound in result.metrics.items() if name.startswith(_GAIN)},
        parts={**found.regimes, **found.years},
        tickers=_tickers(found),
    )


def draw(found: Evaluation) -> dict[str, str]:
    """The charts of an evaluation by name, those that it has something for."""
    methods, model = found.walk_forward.methods, found.walk_forward.methods[MODEL]
    made = {
        "reliability": charts.reliability_chart([(one.said, one.rose) for one in found.reliability]),
        "importance": charts.bars_chart(
            [(BY_NAME[one.feature].label, one.gain, one.ic_drop) for one in found.importance],
            "share of the gain",
            "fall of the IC when shuffled",
        ),
    }
    if found.daily_ic.session and model.daily_rank_ic is not None:
        rolled = rolling(found.daily_ic)
        made["ic_over_time"] = charts.band_chart(
            rolled.session, rolled.mean, model.daily_rank_ic, f"rank IC, mean of {rolled.sessions} sessions"
        )
    ranked = _estimates({NAMES[name]: one.daily_rank_ic or one.ic for name, one in methods.items()})
    if ranked:
        made["methods"] = charts.forest_chart(ranked, "rank IC within sessions", charts.signed, 0.0)
    parts = _estimates({name: one[MODEL].hit_rate for name, one in {**found.regimes, **found.years}.items()})
    if parts:
        made["parts"] = charts.forest_chart(parts, "hits of the sign of the model's score", charts.percent, 0.5)
    correlations = [one[MODEL].ic for one in found.tickers.values()]
    there = [ic for ic in correlations if ic is not None]
    if len(there) >= LEAST_FOR_HISTOGRAM:
        made["tickers"] = charts.histogram_chart(there, "IC of the model within one ticker")
    return made


def _estimates(named: dict[str, Estimate | None]) -> list[tuple[str, Estimate]]:
    return [(name, one) for name, one in named.items() if one is not None]


@dataclass(frozen=True)
class Rolled:
    """Means of so many sessions, at the last session of each."""

    sessions: int
    session: tuple[Any, ...]
    mean: tuple[Estimate, ...]


def rolling(daily: DailyIc) -> Rolled:
    """The rank correlation's mean over the sessions before, with its interval."""
    values = np.array(daily.rank_ic)
    width = max(2, min(ROLLING, len(values) // 3))
    places, means = [], []
    for end in range(width, len(values) + 1):
        window = values[end - width : end]
        mean = estimate(float(window.mean()), window - window.mean(), np.arange(width))
        if mean is not None:
            places.append(daily.session[end - 1])
            means.append(mean)
    return Rolled(width, tuple(places), tuple(means))


def _tickers(found: Evaluation) -> list[tuple[str, TickerScore, str]]:
    """Each ticker with the model's score and the baseline of the least log loss there."""
    return [
        (ticker, scores[MODEL], NAMES[min(scores, key=lambda name: scores[name].log_loss)])
        for ticker, scores in found.tickers.items()
    ]


def _number(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
