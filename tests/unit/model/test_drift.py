"""The drift test: how often it is wrong where nothing drifts, and whether it sees what does."""

import numpy as np
import pytest

from riskee.market.bars import Floats
from riskee.model.drift import Drift, bin_edges, block_means, daily_shares, drift_test

TICKERS, LENGTH, LEVEL, SIMULATIONS = 12, 60, 0.05, 200
TRAINING, LIVE = 40 * LENGTH, LENGTH
FEATURES = ("fast", "slow", "market", "tails")


def world(generator: np.random.Generator, days: int) -> dict[str, Floats]:
    """(days, tickers) features whose tickers move together and whose days resemble the days before."""

    def ar(phi: float, shape: tuple[int, ...]) -> Floats:
        noise = generator.normal(size=shape) * np.sqrt(1 - phi**2)
        out = np.empty(shape)
        out[0] = generator.normal(size=shape[1:])
        for day in range(1, len(out)):
            out[day] = phi * out[day - 1] + noise[day]
        return out

    market = ar(0.0, (days, 1))
    return {
        "fast": 0.6 * market + 0.8 * generator.normal(size=(days, TICKERS)),
        "slow": 0.7 * ar(0.9, (days, 1)) + 0.7 * ar(0.95, (days, TICKERS)),
        "market": np.repeat(market, TICKERS, axis=1),
        "tails": generator.standard_t(3, size=(days, TICKERS)) * np.exp(0.4 * ar(0.9, (days, 1))),
    }


def drift_of(values: dict[str, Floats]) -> Drift | None:
    training, live = {}, {}
    for name, matrix in values.items():
        edges = bin_edges(matrix[:TRAINING].ravel())
        day = np.repeat(np.arange(len(matrix)), TICKERS)
        shares = daily_shares(day, matrix.ravel(), edges, len(matrix))
        training[name], live[name] = shares[:TRAINING], shares[TRAINING:]
    return drift_test(training, live, LENGTH, LEVEL)


def alarms(shift: float, feature: str, simulations: int) -> list[Drift]:
    found = []
    for seed in range(simulations):
        values = world(np.random.default_rng(seed), TRAINING + LIVE)
        values[feature][TRAINING:] += shift
        result = drift_of(values)
        assert result is not None
        if result.fired(LEVEL):
            found.append(result)
    return found


def test_false_alarms_stay_within_the_stated_rate() -> None:
    """200 worlds with clustered, autocorrelated days: at most 5 % and its binomial band (mean + 2.6 deviations)."""
    band = SIMULATIONS * LEVEL + 2.6 * np.sqrt(SIMULATIONS * LEVEL * (1 - LEVEL))
    assert len(alarms(0.0, "fast", SIMULATIONS)) <= band


@pytest.mark.parametrize(("feature", "shift"), [("fast", 0.5), ("slow", 1.5), ("market", 1.0)])
def test_a_real_shift_is_seen_and_its_feature_named(feature: str, shift: float) -> None:
    found = alarms(shift, feature, 20)
    assert len(found) >= 16
    assert all(drift.beyond[0] == feature for drift in found)


def test_more_tickers_do_not_make_it_nervous() -> None:
    """All tickers the same number: a row-wise test would take 100 copies of a day for 100 days."""
    one = world(np.random.default_rng(3), TRAINING + LIVE)["market"][:, :1]
    drifts = []
    for copies in (1, 100):
        matrix = np.repeat(one, copies, axis=1)
        edges = bin_edges(matrix[:TRAINING].ravel())
        shares = daily_shares(np.repeat(np.arange(len(matrix)), copies), matrix.ravel(), edges, len(matrix))
        drifts.append(drift_test({"m": shares[:TRAINING]}, {"m": shares[TRAINING:]}, LENGTH, LEVEL))
    assert drifts[0] is not None
    assert drifts[0] == drifts[1]


def test_too_little_history_gives_no_answer() -> None:
    shares = np.random.default_rng(1).uniform(size=(TRAINING, 9))
    assert drift_test({"a": shares}, {"a": shares[: LENGTH - 1]}, LENGTH, LEVEL) is None
    # 18 blocks and the live one: a rank of 1 in 19 is never below 5 %.
    assert drift_test({"a": shares[: 18 * LENGTH]}, {"a": shares[:LENGTH]}, LENGTH, LEVEL) is None
    assert drift_test({"a": shares[: 19 * LENGTH]}, {"a": shares[:LENGTH]}, LENGTH, LEVEL) is not None


def test_days_without_values_are_passed_over() -> None:
    day = np.array([0, 0, 2])
    shares = daily_shares(day, np.array([1.0, 3.0, 5.0]), np.array([2.0, 4.0]), 3)
    assert shares[0].tolist() == [0.5, 1.0]
    assert np.isnan(shares[1]).all()
    assert block_means(shares, 3).tolist() == [[0.25, 0.5]]


def test_a_feature_that_is_not_warm_says_nothing() -> None:
    generator = np.random.default_rng(5)
    warm = generator.uniform(size=(TRAINING + LIVE, 9))
    cold = np.full((TRAINING + LIVE, 9), np.nan)
    found = drift_test(
        {"warm": warm[:TRAINING], "cold": cold[:TRAINING]}, {"warm": warm[TRAINING:], "cold": cold[TRAINING:]},
        LENGTH, LEVEL,
    )  # fmt: skip
    assert found is not None
    assert set(found.distances) == {"warm"}
