"""The decay tests: read every day of a model's life, and still wrong as seldom as they say."""

import numpy as np
import pytest

from riskee.model.decay import Decay, Scores, daily_means, decay_tests, wealth

LEVEL, SIMULATIONS, SESSIONS, TICKERS = 0.1, 200, 500, 10


def life(seed: int, *, boast: float = 0.0, width: float = 1.0) -> dict[str, Decay]:
    """A model's scored life. Tickers of a session share most of their move; `boast` is added to its confidence."""
    generator = np.random.default_rng(seed)
    session = np.repeat(np.arange(SESSIONS), TICKERS).astype("datetime64[D]")
    tilt = np.repeat(generator.normal(0, 0.2, SESSIONS), TICKERS)
    common = np.repeat(generator.normal(size=SESSIONS), TICKERS)
    move = tilt + np.sqrt(0.7) * common + np.sqrt(0.3) * generator.normal(size=len(session))
    honest = 0.5 * (1 + np.vectorize(_erf)(tilt / np.sqrt(2)))
    p_up = np.clip(honest + boast * np.where(honest >= 0.5, 1, -1), 0.01, 0.99)
    half = 1.2816 * width
    return {one.measure: one for one in decay_tests(Scores(session, p_up, tilt - half, tilt + half, move), LEVEL)}


def _erf(value: float) -> float:
    from math import erf

    return erf(value)


def test_false_alarms_over_a_whole_life_stay_within_the_stated_rate() -> None:
    """200 lives of two years, read after every session: at most 10 % and its binomial band."""
    wrong = sum(any(one.fired for one in life(seed).values()) for seed in range(SIMULATIONS))
    assert wrong <= SIMULATIONS * LEVEL + 2.6 * np.sqrt(SIMULATIONS * LEVEL * (1 - LEVEL))


@pytest.mark.parametrize(
    ("measure", "model"),
    [("accuracy", {"boast": 0.2}), ("calibration", {"boast": 0.25}), ("coverage", {"width": 0.6})],
)
def test_a_decay_is_seen(measure: str, model: dict[str, float]) -> None:
    fired = [life(seed, **model)[measure] for seed in range(10)]
    assert sum(one.fired for one in fired) >= 8
    assert all(one.worse_by > 0 for one in fired)


def test_tickers_of_a_session_are_one_observation() -> None:
    session = np.array(["2020-01-02", "2020-01-02", "2020-01-03"], "datetime64[D]")
    assert daily_means(session, np.array([1.0, 0.0, 0.25])).tolist() == [0.5, 0.25]


def test_the_stake_starts_at_one_and_grows_with_bad_sessions_only() -> None:
    assert wealth(np.zeros(3)).tolist() == [1, 1, 1]
    assert (np.diff(wealth(np.full(5, 0.2))) > 0).all()
    assert (np.diff(wealth(np.full(5, -0.2))) < 0).all()
    assert (wealth(np.full(5, -1.0)) >= 0).all()


def test_without_outcomes_nothing_fires() -> None:
    empty = np.empty(0)
    tests = decay_tests(Scores(np.empty(0, "datetime64[D]"), empty, empty, empty, empty), LEVEL)
    assert [(one.sessions, one.evidence, one.fired) for one in tests] == [(0, 1.0, False)] * 3
