"""Training a model, judging it against baselines and the champion, and deciding on it. Offline only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import lightgbm
import numpy as np

import riskee
from riskee.features.definitions import SCALE_FEATURE, feature_set_hash, features_of
from riskee.market.bars import Floats
from riskee.messaging.messages import HORIZON
from riskee.model.artifact import ModelArtifact
from riskee.model.calibration import conformal_quantiles, fit_logistic
from riskee.model.dataset import TrainingSet
from riskee.model.decision import Decision, Trial, decide
from riskee.model.evaluation import measure
from riskee.model.walk_forward import (
    FOLDS,
    OutOfFold,
    baselines,
    calibrated,
    ewma_forecast,
    out_of_fold,
    targets,
)
from riskee.settings import ModelSettings

MODEL = "model"
ROUNDS = 150
LEAF_SHARE = 0.01
PARAMETERS: Mapping[str, float | int | bool | str] = {
    "objective": "regression",
    "learning_rate": 0.02,
    "num_leaves": 8,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "lambda_l2": 50.0,
    "max_bin": 63,
    "seed": 7,
    # The same data give the same bytes.
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done and what is being done."""


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and everything that the registry keeps about it."""

    artifact: ModelArtifact
    rows: int
    data_sha256: str
    code_version: str
    parameters: dict[str, float | int | bool | str]
    metrics: dict[str, float | None]
    baselines: dict[str, dict[str, float | None]]
    decision: Literal["promoted", "refused"]
    reason: str


def train(
    data: TrainingSet,
    settings: ModelSettings,
    champion: ModelArtifact | None = None,
    progress: Progress = lambda _share, _step: None,
) -> TrainingResult:
    """Evaluate walk-forward, fit on all rows, decide. The same data and champion give the same result, byte by byte.

    Raises PoisonError when there are too few rows.
    """
    methods = {MODEL: boosted, **baselines(data)}
    result = out_of_fold(
        data, methods, lambda fold: progress(fold / (FOLDS + 1), f"walk-forward fold {fold + 1} of {FOLDS}")
    )
    progress(FOLDS / (FOLDS + 1), "final fit")
    artifact = _artifact(data, result, settings)
    tested = result.fold > 0
    outcome, scale = data.outcome[tested], data.scale[tested]
    forecasts = {name: calibrated(result, name, data.outcome, data.scale) for name in methods}
    measures = {name: measure(forecast, outcome, scale).as_json() for name, forecast in forecasts.items()}
    measures["ewma_interval"] = measure(ewma_forecast(data, tested), outcome, scale).as_json()
    trial = Trial(artifact, forecasts.pop(MODEL), forecasts, data, tested)
    decision: Decision = decide(trial, champion)
    metrics = {"rows": float(tested.sum()), "sessions": float(len(np.unique(data.session[tested])))}
    progress(1.0, decision.outcome)
    return TrainingResult(
        artifact=artifact,
        rows=len(data),
        data_sha256=data.sha256,
        code_version=riskee.__version__,
        parameters={**PARAMETERS, "rounds": ROUNDS, "leaf_share": LEAF_SHARE, "folds": FOLDS},
        metrics={**metrics, **measures.pop(MODEL), **decision.bounds},
        baselines=measures,
        decision=decision.outcome,
        reason=decision.reason,
    )


def _fit(train: Floats, goal: Floats) -> lightgbm.Booster:
    # Rows of one session move together: a leaf must span many sessions however many tickers there are.
    leaf = {"min_data_in_leaf": max(20, int(LEAF_SHARE * len(train)))}
    return lightgbm.train({**PARAMETERS, **leaf}, lightgbm.Dataset(train, goal), num_boost_round=ROUNDS)


def boosted(train: Floats, goal: Floats, test: Floats) -> Floats:
    """The method under trial: fit on the training rows, score the test rows."""
    return np.asarray(_fit(train, goal).predict(test, num_threads=1), np.float64)


def _artifact(data: TrainingSet, result: OutOfFold, settings: ModelSettings) -> ModelArtifact:
    seen = result.fold >= 0
    score = result.scores[MODEL][seen]
    through = _day(data.outcome_session.max())
    return ModelArtifact(
        model_type=data.model_type,
        horizon=HORIZON,
        feature_set=feature_set_hash(data.model_type),
        features=features_of(data.model_type),
        scale_feature=SCALE_FEATURE,
        booster=_fit(data.features, targets(data)).model_to_string(),
        calibration=fit_logistic(score, data.outcome[seen] > 0),
        residuals=conformal_quantiles(data.outcome[seen] / data.scale[seen] - score),
        trained_from=_day(data.session.min()),
        trained_through=through,
        valid_until=through + timedelta(days=settings.expires_after_days),
    )


def _day(day: np.datetime64) -> date:
    return date.fromisoformat(str(day.astype("datetime64[D]")))
