"""What a model looks at is found, and what it looks at in vain."""

import lightgbm
import numpy as np

from riskee.features.definitions import NORMAL_FEATURES
from riskee.model.importance import importances


def test_the_feature_that_tells_something_comes_first_and_one_learned_in_vain_costs_nothing() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (4000, len(NORMAL_FEATURES)))
    scaled = 0.5 * features[:, 3] + rng.normal(0, 1, 4000)
    learned = scaled[:2000] + features[:2000, 8]  # was so in the rows learned from, and is no more
    booster = lightgbm.train(
        {"num_leaves": 4, "verbosity": -1, "num_threads": 1, "seed": 1},
        lightgbm.Dataset(features[:2000], learned),
        num_boost_round=20,
    )
    made = {one.feature: one for one in importances(booster, NORMAL_FEATURES, features[2000:], scaled[2000:])}
    true, vain = made[NORMAL_FEATURES[3]], made[NORMAL_FEATURES[8]]
    assert list(made)[:2] == [vain.feature, true.feature]
    assert abs(sum(one.gain for one in made.values()) - 1) < 1e-4
    assert true.ic_drop > 0.1
    assert vain.ic_drop < 0.03
    assert all(one.ic_drop == 0 for one in made.values() if one.gain == 0)
