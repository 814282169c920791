"""The sealed holdout: the last sessions before the replay, scored once a training, after its decision."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from riskee.model.artifact import ModelArtifact
from riskee.model.baselines import EWMA, baselines, ewma_forecast
from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import Forecast
from riskee.model.evidence import MODEL, Holdout, outcomes, span
from riskee.model.predictor import Predictor
from riskee.model.walk_forward import GAP_SESSIONS, OutOfFold, fit_calibrator, targets


@dataclass(frozen=True)
class Split:
    """Rows to develop a model on, and the sealed ones after them."""

    development: TrainingSet
    sealed: TrainingSet


def split(data: TrainingSet, holdout_from: date | None) -> Split:
    """Part the rows at a session, which is sealed with all that follow; None seals nothing.

    What is developed on ends as far before the first sealed row as a fold's training ends before its test, counted in
    the exchange's sessions: its outcomes are known before.
    """
    sealed = np.zeros(len(data), np.bool_)
    if holdout_from is not None:
        sealed = data.session >= np.datetime64(holdout_from, "D")
    if not sealed.any():
        return Split(data, data.at(sealed))
    return Split(data.at(data.place < data.place[sealed].min() - GAP_SESSIONS), data.at(sealed))


def open_holdout(parts: Split, result: OutOfFold, artifact: ModelArtifact, opened: int) -> Holdout | None:
    """Score the registered model, and baselines fitted and calibrated on the same rows as it; None if none is sealed.

    `opened` counts the models that were scored on these sessions, this one included.
    """
    if not len(parts.sealed):
        return None
    forecasts = {MODEL: _said(artifact, parts.sealed), **_baselines(parts, result)}
    found = span(outcomes(parts.sealed), forecasts)
    return Holdout(found.first, found.last, opened, found.methods)


def _said(artifact: ModelArtifact, data: TrainingSet) -> Forecast:
    """The forecast of the model as it would have been published."""
    said = Predictor(artifact).predict(data.features, np.ones(len(data)))
    returns = (said.expected_return, said.return_p10, said.return_p50, said.return_p90)
    score, low, median, high = (move / data.scale for move in returns)
    return Forecast(score, said.p_up, low, median, high)


def _baselines(parts: Split, result: OutOfFold) -> dict[str, Forecast]:
    development, sealed = parts.development, parts.sealed
    goal, seen = targets(development), result.fold >= 0
    outcome, scale = development.outcome[seen], development.scale[seen]
    made = {}
    for name, method in baselines(sealed.model_type).items():
        calibrator = fit_calibrator(result.scores[name][seen], outcome, scale)
        made[name] = calibrator.forecast(method(development.features, goal, sealed.features))
    return {**made, EWMA: ewma_forecast(sealed, np.ones(len(sealed), np.bool_))}
