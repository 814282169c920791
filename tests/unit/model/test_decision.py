"""Promotion by evidence only: challengers that are no better than the champion are promoted by luck alone."""

import dataclasses
from collections.abc import Callable
from datetime import date, timedelta

import lightgbm
import msgspec
import numpy as np
import pytest
from scipy.stats import binom

from riskee.features.definitions import NORMAL_FEATURES
from riskee.market.bars import Floats
from riskee.model import uncertainty
from riskee.model.artifact import Calibration, ModelArtifact
from riskee.model.baselines import EWMA, baselines
from riskee.model.calibration import probability
from riskee.model.dataset import TrainingSet
from riskee.model.decision import Decision, Trial, decide
from riskee.model.evaluation import Forecast
from tests.unit.model.small import SCALE, small_artifact

CHALLENGERS = 200
SESSIONS, TICKERS = 250, 10
# Of 200 at 5 %, more than this is luck in one of forty cases.
MOST = int(binom.ppf(0.975, CHALLENGERS, 0.05))
FIRST = date(2013, 1, 2)
# What the champion looks at, and its challengers: each knows as much as the other.
OWN, OTHER = NORMAL_FEATURES.index("return_1d"), NORMAL_FEATURES.index("return_5d")
CALIBRATION = Calibration(0.0, 1.6)
# The expected move, in deviations, for a unit of a feature: a correlation of a few percent, as good models have.
SIGNAL = 0.08


@pytest.fixture(scope="module")
def champion() -> ModelArtifact:
    """A model whose score rises with its own feature alone."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(0, 1, (4000, len(NORMAL_FEATURES)))
    booster = lightgbm.train(
        {"objective": "regression", "num_leaves": 16, "verbosity": -1, "num_threads": 1, "seed": 1},
        lightgbm.Dataset(inputs, inputs[:, OWN] * SIGNAL),
        num_boost_round=40,
    )
    made = {"booster": booster.model_to_string(), "calibration": CALIBRATION, "trained_through": FIRST}
    return msgspec.structs.replace(small_artifact(), **made, valid_until=FIRST + timedelta(days=4000))


def persistent(rng: np.random.Generator, memory: float, columns: int) -> Floats:
    """Columns (SESSIONS, columns) of unit variance that remember the session before."""
    made = rng.normal(0, 1, (SESSIONS, columns))
    for place in range(1, SESSIONS):
        made[place] = memory * made[place - 1] + np.sqrt(1 - memory**2) * made[place]
    return made


def null_trial(champion: ModelArtifact, seed: int, score: Callable[[Floats], Floats], trend: float) -> Trial:
    """A challenger that sees another feature than the champion, of exactly the same worth; all baselines are worse.

    Tickers of a session move with the market, features last for weeks, and so does a part of the market's moves
    (`trend`): as if drift had been forecast, which makes the gain of neighbouring sessions alike.
    """
    rng = np.random.default_rng(seed)
    features = np.zeros((SESSIONS, TICKERS, len(NORMAL_FEATURES)))
    for column in (OWN, OTHER):
        features[:, :, column] = 0.8 * persistent(rng, 0.97, 1) + 0.6 * persistent(rng, 0.97, TICKERS)
    signal = SIGNAL * (features[:, :, OWN] + features[:, :, OTHER])
    market = np.sqrt(1 - trend) * rng.standard_t(6, (SESSIONS, 1)) + np.sqrt(trend) * persistent(rng, 0.9, 1)
    scaled = (signal + market + rng.standard_t(6, (SESSIONS, TICKERS))).ravel()
    rows = features.reshape(-1, len(NORMAL_FEATURES))
    rows[:, SCALE] = 0.02
    place = np.repeat(np.arange(SESSIONS), TICKERS)
    days = np.datetime64(FIRST) + 1 + place
    data = TrainingSet(
        "normal",
        tuple(f"T{number}" for number in range(TICKERS)),
        np.tile(np.arange(TICKERS), SESSIONS),
        days,
        days + 1,
        rows,
        0.02 * scaled,
        rows[:, SCALE],
        place,
        np.zeros(len(place)),
    )
    swapped = rows.copy()
    swapped[:, [OWN, OTHER]] = rows[:, [OTHER, OWN]]
    said = forecast(score(swapped))
    worse = {name: forecast(np.full(len(rows), -3.0)) for name in (*baselines("normal"), EWMA)}
    candidate = msgspec.structs.replace(champion, trained_through=FIRST + timedelta(days=SESSIONS + 9))
    return Trial(candidate, said, worse, data, np.ones(len(rows), np.bool_), candidate.trained_through)


def forecast(score: Floats) -> Forecast:
    return Forecast(score, probability(CALIBRATION, score), score - 1.3, score, score + 1.3)


@pytest.fixture(scope="module")
def decisions(champion: ModelArtifact) -> Callable[[float], list[Decision]]:
    """The decisions on CHALLENGERS null challengers, for a share of the market's moves that lasts."""
    booster = lightgbm.Booster(model_str=champion.booster)

    def made(trend: float) -> list[Decision]:
        def score(features: Floats) -> Floats:
            return np.asarray(booster.predict(features, num_threads=1), np.float64)

        return [decide(null_trial(champion, seed, score, trend), champion) for seed in range(CHALLENGERS)]

    return made


def promoted(decisions: list[Decision]) -> int:
    return sum(decision.outcome == "promoted" for decision in decisions)


@pytest.mark.parametrize("trend", [0.0, 0.3])
def test_of_200_null_challengers_at_most_5_percent_are_promoted(
    decisions: Callable[[float], list[Decision]], trend: float
) -> None:
    made = decisions(trend)
    # Only the champion stands in the way: the baselines are beaten by all, so nothing else keeps the share down.
    assert all(bound > 0 for decision in made for bound in decision.bounds.values())
    assert promoted(made) <= MOST, promoted(made)


def test_a_looser_bound_promotes_too_many(
    decisions: Callable[[float], list[Decision]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: without a bound half of them are promoted."""
    monkeypatch.setattr(uncertainty, "ONE_SIDED", (0.0,))
    assert promoted(decisions(0.0)) > 3 * MOST


def test_errors_that_know_of_no_neighbours_promote_too_many(
    decisions: Callable[[float], list[Decision]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uncertainty, "BANDWIDTH", 0.0)
    monkeypatch.setattr(uncertainty, "_bandwidth", lambda _count: 1)
    assert promoted(decisions(0.3)) > MOST


def test_a_worse_interval_than_the_plain_one_is_no_promotion(champion: ModelArtifact) -> None:
    """Direction alone is not enough: this one knows the outcomes, and says nothing of how far they may be."""
    trial = null_trial(champion, 0, lambda features: features[:, OWN], 0.0)
    scaled = trial.data.outcome / trial.data.scale
    plain = Forecast(0 * scaled, 0 * scaled + 0.5, 0 * scaled - 2, 0 * scaled, 0 * scaled + 2)
    trial = dataclasses.replace(trial, baselines={**trial.baselines, EWMA: plain})
    wide = dataclasses.replace(forecast(scaled), low=scaled - 20, high=scaled + 20)
    made = decide(dataclasses.replace(trial, forecast=wide), champion)
    assert made.outcome == "refused"
    assert (
        made.reason == "better than the champion, but not than all baselines; not shown to be better than ewma_interval"
    )
    assert {name for name, bound in made.bounds.items() if bound <= 0} == {"gain_over_ewma_interval"}
    assert decide(dataclasses.replace(trial, forecast=forecast(scaled)), champion).outcome == "promoted"


def test_where_the_champion_has_seen_everything_the_baselines_decide(champion: ModelArtifact) -> None:
    """As after a longer replay or a longer holdout: no setting promotes a model that nothing speaks for."""
    trial = null_trial(champion, 0, lambda features: features[:, OWN], 0.0)
    seen = msgspec.structs.replace(champion, trained_through=trial.artifact.trained_through + timedelta(days=1))
    told = f"the champion {seen.version} has seen sessions that are held out now, so the baselines decide"
    made = decide(dataclasses.replace(trial, forecast=trial.baselines["zero"]), seen)
    assert (made.outcome, made.reason.startswith(told)) == ("refused", True)
    assert made.reason.endswith(EWMA)
    made = decide(trial, seen)
    assert (made.outcome, made.reason) == ("promoted", f"{told}; better than every baseline")
    # Age is another matter: an expired champion gives way to anything.
    worse = dataclasses.replace(trial, forecast=trial.baselines["zero"])
    old = msgspec.structs.replace(seen, valid_until=trial.as_of)
    assert "expired on" not in decide(worse, old).reason
    later = dataclasses.replace(worse, as_of=trial.as_of + timedelta(days=1))
    assert decide(later, old).reason.startswith(f"the champion {old.version} expired on {old.valid_until}")
