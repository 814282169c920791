"""Where nothing can be known, nothing is found: whatever scores here is a fault of the measuring."""

import numpy as np
import pytest

from riskee.model.training import TrainingResult, train
from riskee.model.uncertainty import Estimate
from riskee.settings import ModelSettings
from tests.unit.model.made_up import made_up, random_walks, shuffled

SEEDS = range(3)


@pytest.fixture(scope="module")
def walks() -> list[TrainingResult]:
    return [train(random_walks(seed), ModelSettings()) for seed in SEEDS]


@pytest.fixture(scope="module")
def mixed() -> list[TrainingResult]:
    return [train(shuffled(made_up(0.5), seed), ModelSettings()) for seed in SEEDS]


@pytest.mark.parametrize("kind", ["walks", "mixed"])
def test_nothing_scores_where_nothing_is_known(kind: str, request: pytest.FixtureRequest) -> None:
    results: list[TrainingResult] = request.getfixturevalue(kind)
    for measure, nothing in (("ic", 0.0), ("daily_rank_ic", 0.0), ("hit_rate", 0.5)):
        found = [getattr(result.evaluation.walk_forward.methods["model"], measure) for result in results]
        assert all(isinstance(one, Estimate) for one in found)
        # Each interval misses the truth in one of twenty cases; of three, two miss it in one of 140.
        assert sum(not one.low <= nothing <= one.high for one in found) <= 1, (measure, found)


@pytest.mark.parametrize("kind", ["walks", "mixed"])
def test_no_model_of_nothing_beats_the_baselines(kind: str, request: pytest.FixtureRequest) -> None:
    for result in request.getfixturevalue(kind):
        beaten = [name for name, bound in result.metrics.items() if name.startswith("gain_over_") and (bound or 0) > 0]
        assert beaten == [], result.metrics
        assert "not shown to be better than" in result.reason


def test_intervals_of_nothing_still_cover_what_they_say(walks: list[TrainingResult]) -> None:
    covered = [result.metrics["coverage_80"] or 0 for result in walks]
    assert np.mean(covered) == pytest.approx(0.8, abs=0.04)
