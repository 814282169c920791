"""Whether a new model takes the champion's place, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from riskee.market.bars import Dates, Floats
from riskee.model.artifact import Incumbent, ModelArtifact, Unreadable
from riskee.model.baselines import EWMA
from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import Forecast, gain_bound, interval_losses, log_losses
from riskee.model.predictor import Predictor

# Sessions that the champion has not seen in training and that a challenger must win on.
MINIMUM_SESSIONS = 60


@dataclass(frozen=True)
class Trial:
    """A candidate with its out-of-fold forecast and those of the baselines on the `tested` rows of the data.

    `as_of` is the day on which the champion's age is judged.
    """

    artifact: ModelArtifact
    forecast: Forecast
    baselines: Mapping[str, Forecast]
    data: TrainingSet
    tested: NDArray[np.bool_]
    as_of: date


@dataclass(frozen=True)
class Decision:
    """`bounds` are the lower 95 % bounds of the candidate's gain over each baseline: above zero means better."""

    outcome: Literal["promoted", "refused"]
    reason: str
    bounds: dict[str, float]


def decide(trial: Trial, champion: Incumbent) -> Decision:
    """Promote a candidate that is better than the champion and all baselines, or where no usable champion is.

    Where the champion has seen all sessions of the trial, nothing can be compared: then the baselines alone decide.
    """
    bounds = _bounds(trial)
    unbeaten = [name for name, bound in bounds.items() if bound <= 0]
    standing = f"not shown to be better than {', '.join(unbeaten)}" if unbeaten else "better than every baseline"
    kept = {f"gain_over_{name}": round(bound, 6) for name, bound in bounds.items()}
    vacant = _vacancy(trial, champion)
    if not isinstance(champion, ModelArtifact) or vacant:
        return Decision("promoted", f"{vacant}; {standing}", kept)
    if champion.trained_through > trial.artifact.trained_through:
        why = f"the champion {champion.version} has seen sessions that are held out now, so the baselines decide"
        return Decision("refused" if unbeaten else "promoted", f"{why}; {standing}", kept)
    flaw = _flaw(trial, champion) or ("better than the champion, but not than all baselines" if unbeaten else "")
    if flaw:
        return Decision("refused", f"{flaw}; {standing}", kept)
    return Decision("promoted", f"better than the champion {champion.version}; {standing}", kept)


def _vacancy(trial: Trial, champion: Incumbent) -> str:
    """Why no champion stands in the way; empty if one does."""
    candidate = trial.artifact
    if champion is None:
        return "first model of its type"
    if isinstance(champion, Unreadable):
        return f"the champion {champion.version} is unreadable"
    if champion.version == candidate.version:
        return "the same data gave the champion again"
    if champion.feature_set != candidate.feature_set:
        return f"the champion {champion.version} knows other features"
    if champion.has_expired(trial.as_of):
        return f"the champion {champion.version} expired on {champion.valid_until}"
    return ""


def _flaw(trial: Trial, champion: ModelArtifact) -> str:
    """Why the candidate does not beat the champion; empty if it does."""
    sessions, bound = _against(trial, champion)
    if sessions < MINIMUM_SESSIONS:
        return f"only {sessions} sessions since the training of {champion.version}, {MINIMUM_SESSIONS} are needed"
    if bound <= 0:
        return f"not shown to be better than the champion {champion.version} in {sessions} sessions"
    return ""


def _bounds(trial: Trial) -> dict[str, float]:
    """The lower bounds of the gains over the baselines."""
    rows = trial.tested
    session, outcome = trial.data.session[rows], trial.data.outcome[rows]
    scaled = outcome / trial.data.scale[rows]
    return {
        name: gain_bound(_losses(name, other, scaled) - _losses(name, trial.forecast, scaled), session)
        for name, other in trial.baselines.items()
    }


def _losses(baseline: str, forecast: Forecast, scaled: Floats) -> Floats:
    """The loss (n,) in what a baseline speaks of: `zero` of the move, the EWMA interval of its width, the rest of p."""
    if baseline == EWMA:
        return interval_losses(forecast, scaled)
    if baseline == "zero":
        return np.square(scaled - forecast.score)
    return log_losses(forecast.p_up, scaled > 0)


def _against(trial: Trial, champion: ModelArtifact) -> tuple[int, float]:
    """Sessions after the champion's training, and the bound of the candidate's gain in log loss there."""
    rows = trial.tested
    session: Dates = trial.data.session[rows]
    fresh = session > np.datetime64(champion.trained_through, "D")
    sessions = len(np.unique(session[fresh]))
    if not sessions:
        return 0, -np.inf
    features: Floats = trial.data.features[rows][fresh]
    up = trial.data.outcome[rows][fresh] > 0
    said = Predictor(champion).predict(features, np.ones(len(features))).p_up
    gain = log_losses(said, up) - log_losses(trial.forecast.p_up[fresh], up)
    return sessions, gain_bound(gain, session[fresh])
