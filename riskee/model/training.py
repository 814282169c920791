"""Training a model, judging it against baselines and the champion, and deciding on it. Offline only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import lightgbm
import numpy as np

from riskee.features.definitions import SCALE_FEATURE, feature_set_hash, features_of
from riskee.market.bars import Floats
from riskee.messaging.messages import HORIZON
from riskee.model.artifact import Incumbent, ModelArtifact
from riskee.model.backtest import Backtest, pack
from riskee.model.baselines import EWMA, baselines, ewma_forecast
from riskee.model.dataset import TrainingSet
from riskee.model.decision import Trial, decide
from riskee.model.evidence import MODEL, Evaluation, evaluate
from riskee.model.holdout import open_holdout, split
from riskee.model.importance import Importance, importances
from riskee.model.walk_forward import FOLDS, OutOfFold, calibrated, fit_calibrator, out_of_fold, targets
from riskee.provenance import training_code
from riskee.settings import ModelSettings

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
class Past:
    """What was tried before: models of this type, and those that were scored on the sessions sealed now."""

    trials: int = 0
    opened: int = 0


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and everything that the registry keeps about it, but for `backtest` and `against`.

    `against` is the champion that the decision was made about, None without one.
    `rows` and `data_sha256` are those of all rows given; `trials` counts the models of this type, this one included.
    """

    artifact: ModelArtifact
    rows: int
    data_sha256: str
    code_version: str
    parameters: dict[str, float | int | bool | str]
    metrics: dict[str, float | None]
    baselines: dict[str, dict[str, float | None]]
    decision: Literal["promoted", "refused"]
    reason: str
    against: str | None
    evaluation: Evaluation
    trials: int
    backtest: Backtest


def train(
    data: TrainingSet,
    settings: ModelSettings,
    champion: Incumbent = None,
    progress: Progress = lambda _share, _step: None,
    holdout_from: date | None = None,
    past: Past | None = None,
    as_of: date | None = None,
) -> TrainingResult:
    """Evaluate walk-forward, fit, decide, then open the holdout: the sessions from `holdout_from` on (None: nothing).

    The champion's age is judged on `as_of` (None: the day of the last outcome). Nothing but the holdout's own measures
    depends on its rows. The same data, champion, past and day give the same result, byte by byte.
    Raises PoisonError when there are too few rows.
    """
    past, parts = past or Past(), split(data, holdout_from)
    development, boosted = parts.development, Boosted()
    result = out_of_fold(
        development,
        {MODEL: boosted, **baselines(data.model_type)},
        lambda fold: progress(0.6 * fold / FOLDS, f"walk-forward fold {fold + 1} of {FOLDS}"),
    )
    progress(0.6, "measuring")
    forecasts = {name: calibrated(result, name, development) for name in result.scores}
    measured = {**forecasts, EWMA: ewma_forecast(development, result.tested)}
    evaluation = evaluate(development, result.tested, measured, _importance(boosted, development, result))
    progress(0.8, "final fit")
    known_through = _day(data.outcome_session.max())
    artifact = _artifact(development, result, known_through + timedelta(days=settings.expires_after_days))
    others = {name: forecast for name, forecast in measured.items() if name != MODEL}
    trial = Trial(artifact, forecasts[MODEL], others, development, result.tested, as_of or known_through)
    decision = decide(trial, champion)
    progress(0.9, f"{decision.outcome}; opening the holdout" if len(parts.sealed) else decision.outcome)
    evaluation = replace(evaluation, holdout=open_holdout(parts, result, artifact, past.opened + 1))
    measures = {name: found.flat() for name, found in evaluation.walk_forward.methods.items()}
    progress(1.0, decision.outcome)
    return TrainingResult(
        artifact=artifact,
        rows=len(data),
        data_sha256=data.sha256,
        code_version=training_code(),
        parameters={**PARAMETERS, "rounds": ROUNDS, "leaf_share": LEAF_SHARE, "folds": FOLDS},
        metrics={**measures.pop(MODEL), **decision.bounds},
        baselines=measures,
        decision=decision.outcome,
        reason=decision.reason,
        against=None if champion is None else champion.version,
        evaluation=evaluation,
        trials=past.trials + 1,
        backtest=pack(development, result.tested, forecasts[MODEL]),
    )


class Boosted:
    """The method under trial: fit on the training rows, score the test rows. Keeps its last model."""

    booster: lightgbm.Booster

    def __call__(self, train: Floats, goal: Floats, test: Floats) -> Floats:
        """Scores of the test rows."""
        self.booster = _fit(train, goal)
        return np.asarray(self.booster.predict(test, num_threads=1), np.float64)


def _fit(train: Floats, goal: Floats) -> lightgbm.Booster:
    # Rows of one session move together: a leaf must span many sessions however many tickers there are.
    leaf = {"min_data_in_leaf": max(20, int(LEAF_SHARE * len(train)))}
    return lightgbm.train({**PARAMETERS, **leaf}, lightgbm.Dataset(train, goal), num_boost_round=ROUNDS)


def _importance(boosted: Boosted, data: TrainingSet, result: OutOfFold) -> tuple[Importance, ...]:
    """Of the last fold's model, on the last fold's rows."""
    last = result.fold == FOLDS - 1
    scaled = data.outcome[last] / data.scale[last]
    return importances(boosted.booster, features_of(data.model_type), data.features[last], scaled)


def _artifact(data: TrainingSet, result: OutOfFold, valid_until: date) -> ModelArtifact:
    seen = result.fold >= 0
    calibrator = fit_calibrator(result.scores[MODEL][seen], data.outcome[seen], data.scale[seen])
    return ModelArtifact(
        model_type=data.model_type,
        horizon=HORIZON,
        feature_set=feature_set_hash(data.model_type),
        features=features_of(data.model_type),
        scale_feature=SCALE_FEATURE,
        booster=_fit(data.features, targets(data)).model_to_string(),
        calibration=calibrator.calibration,
        residuals=calibrator.residuals,
        trained_from=_day(data.session.min()),
        trained_through=_day(data.outcome_session.max()),
        valid_until=valid_until,
    )


def _day(day: np.datetime64) -> date:
    return date.fromisoformat(str(day.astype("datetime64[D]")))
