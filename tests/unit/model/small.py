"""A small but real model."""

from datetime import date

import lightgbm
import numpy as np

from riskee.features.definitions import NORMAL_FEATURES, SCALE_FEATURE, feature_set_hash
from riskee.market.bars import Floats
from riskee.model.artifact import Calibration, ModelArtifact, ResidualQuantiles

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
