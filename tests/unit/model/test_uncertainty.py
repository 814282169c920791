"""Errors of means against the definition, and intervals against what they promise."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from riskee.market.bars import Floats
from riskee.model.uncertainty import (
    ONE_SIDED,
    TWO_SIDED,
    critical,
    estimate,
    estimate_of_share,
    lower_bound,
    newey_west,
)


def waves(seed: int, persistence: float, count: int = 250) -> Floats:
    """A series with mean zero whose values remember the one before."""
    noise = np.random.default_rng(seed).normal(0, 1, count + 50)
    made = np.zeros(count + 50)
    for place in range(1, count + 50):
        made[place] = persistence * made[place - 1] + noise[place]
    return made[50:]


def test_the_error_is_newey_and_west_s() -> None:
    values = waves(0, 0.5, 100)
    deviation, bandwidth = values - values.mean(), 13  # 1.3 sqrt(100)
    total = (deviation**2).sum()
    for lag in range(1, bandwidth):
        total += 2 * (1 - lag / bandwidth) * (deviation[lag:] * deviation[:-lag]).sum()
    assert newey_west(values) == pytest.approx(np.sqrt(total) / 100)


def test_the_quantiles_become_the_normal_s_in_long_series() -> None:
    assert critical(10**8, ONE_SIDED) == pytest.approx(norm.ppf(0.95), abs=1e-3)
    assert critical(10**8, TWO_SIDED) == pytest.approx(norm.ppf(0.975), abs=1e-3)
    assert critical(60, ONE_SIDED) > critical(250, ONE_SIDED) > norm.ppf(0.95)


@pytest.mark.parametrize("persistence", [0.0, 0.5, -0.3])
def test_intervals_cover_the_truth_also_where_sessions_resemble_each_other(persistence: float) -> None:
    covered, above = [], []
    for seed in range(1000):
        daily = waves(seed, persistence)
        mean = estimate(float(daily.mean()), daily - daily.mean(), np.arange(250))
        assert mean is not None
        covered.append(mean.low <= 0 <= mean.high)
        above.append(lower_bound(daily) > 0)
    assert 0.92 < np.mean(covered) < 0.98
    assert 0.03 < np.mean(above) < 0.08


def test_errors_that_know_of_no_neighbours_would_not_cover_it() -> None:
    """Why the error is not the usual one: with such series it promises 95 % and keeps 70 %."""
    series = [waves(seed, 0.5) for seed in range(300)]
    covered = [abs(one.mean()) < 1.96 * one.std() / np.sqrt(len(one)) for one in series]
    assert np.mean(covered) < 0.8


def test_one_session_is_no_series() -> None:
    assert lower_bound(np.ones(1)) == -np.inf
    assert estimate(0.5, np.array([0.1, -0.1]), np.array([3, 3])) is None
    assert lower_bound(np.full(10, 0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize(("hits", "count"), [(0, 3), (3, 3), (1, 4), (30, 30), (45, 90)])
def test_a_share_of_few_sessions_is_never_known_better_than_a_binomial_s(hits: int, count: int) -> None:
    came = np.repeat([1.0, 0.0], [hits, count - hits])
    found = estimate_of_share(hits / count, came - hits / count, np.arange(count))
    assert found is not None
    wilson = binomtest(hits, count).proportion_ci(method="wilson")
    assert 0 <= found.low <= wilson.low + 1e-5
    assert 1 >= found.high >= wilson.high - 1e-5
    assert found.low <= found.value <= found.high
    assert estimate_of_share(1.0, np.zeros(2), np.array([3, 3])) is None
