"""A small but real model."""

from datetime import date
from typing import Literal

import lightgbm
import numpy as np

from riskee.features.definitions import NORMAL_FEATURES, SCALE_FEATURE, feature_set_hash
from riskee.market.bars import Floats
from riskee.model.artifact import Calibration, ModelArtifact, ResidualQuantiles
from riskee.model.backtest import Backtest
from riskee.model.evaluation import Forecast, Outcomes, measure
from riskee.model.evidence import MODEL, Bin, DailyIc, Evaluation, Holdout, TickerScore, span
from riskee.model.importance import Importance
from riskee.model.training import TrainingResult
from riskee.model.uncertainty import Estimate

SCALE = NORMAL_FEATURES.index(SCALE_FEATURE)


def features(rows: int, seed: int = 0) -> Floats:
    """Made-up features; the scale is a volatility of one to three percent."""
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 1, (rows, len(NORMAL_FEATURES)))
    made[:, SCALE] = rng.uniform(0.01, 0.03, rows)
    return made


def small_artifact() -> ModelArtifact:
    """A model that learned from its first feature."""
    inputs = features(500)
    booster = lightgbm.train(
        {"objective": "regression", "num_leaves": 4, "verbosity": -1, "num_threads": 1, "seed": 1},
        lightgbm.Dataset(inputs, inputs[:, 0] * 0.1),
        num_boost_round=10,
    )
    return ModelArtifact(
        model_type="normal",
        horizon="1d",
        feature_set=feature_set_hash("normal"),
        features=NORMAL_FEATURES,
        scale_feature=SCALE_FEATURE,
        booster=booster.model_to_string(),
        calibration=Calibration(0.05, 0.4),
        residuals=ResidualQuantiles(-1.2, 0.01, 1.3),
        trained_from=date(2001, 1, 2),
        trained_through=date(2012, 11, 9),
        valid_until=date(2013, 12, 14),
    )


def small_evaluation() -> Evaluation:
    """An evaluation with one of everything, measured on twenty made-up rows of ten sessions."""
    random = np.random.default_rng(2)
    score, outcome = random.normal(0, 1, 20), random.normal(0, 0.01, 20)
    forecast = Forecast(score, 1 / (1 + np.exp(-score)), score - 1, score, score + 1)
    made = Outcomes(outcome, np.full(20, 0.01), np.repeat(np.arange(15_000, 15_010), 2))
    tested = span(made, dict.fromkeys((MODEL, "zero", "climatology"), forecast))
    measures = measure(forecast, made)
    return Evaluation(
        walk_forward=tested,
        regimes={"calm market": {MODEL: measures}},
        years={"2011": {MODEL: measures}},
        tickers={"AAPL": {MODEL: TickerScore(20, 0.01, 0.5, 0.69, -0.01, 0.8)}},
        daily_ic=DailyIc((tested.first, tested.last), (0.1, -0.2), (0.2, -0.1)),
        reliability=(Bin(20, 0.5, Estimate(0.5, 0.3, 0.7)),),
        importance=(Importance("return_1d", 1.0, 0.01),),
        holdout=Holdout(tested.first, tested.last, 1, tested.methods),
    )


def small_result(
    artifact: ModelArtifact, decision: Literal["promoted", "refused"], against: str | None = None
) -> TrainingResult:
    """A training's result around an artifact, decided on beside the champion `against`."""
    measures = {"ic": 0.02, "hit_rate": None}
    return TrainingResult(
        artifact=artifact,
        rows=500,
        data_sha256="0" * 64,
        code_version="0.1.0",
        parameters={"seed": 7},
        metrics=measures,
        baselines={"zero": measures},
        decision=decision,
        reason="because",
        against=against,
        evaluation=small_evaluation(),
        trials=1,
        backtest=Backtest((), b"", b"", b"", b"", b""),
    )
