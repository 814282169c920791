"""A feature that has seen the outcome is found; honest ones and small samples are not suspected."""

import dataclasses

import dagster as dg
import numpy as np
import pytest

from riskee.features.definitions import NORMAL_FEATURES
from riskee.market.bars import Floats
from riskee.model.dataset import TrainingSet
from riskee.model.leaks import Suspect, suspects
from riskee_dagster.defs.models import NO_LEAK, Rows, leak_check
from tests.unit.model.made_up import made_up, random_walks


def with_feature(data: TrainingSet, name: str, values: Floats) -> TrainingSet:
    features = data.features.copy()
    features[:, NORMAL_FEATURES.index(name)] = values
    return dataclasses.replace(data, features=features)


def shifted(data: TrainingSet, name: str) -> TrainingSet:
    """The feature as it stands a session later, as when a window ends a day late."""
    column, ahead = data.features[:, NORMAL_FEATURES.index(name)], np.full(len(data), np.nan)
    for ticker in range(len(data.tickers)):
        rows = np.flatnonzero(data.ticker == ticker)
        ahead[rows[:-1]] = column[rows[1:]]
    return with_feature(data, name, ahead)


@pytest.fixture(scope="module")
def walks() -> TrainingSet:
    return random_walks(7)


def test_honest_features_are_not_suspected(walks: TrainingSet) -> None:
    assert suspects(walks) == []
    assert suspects(made_up(0.05)) == []


@pytest.mark.parametrize("name", ["return_1d", "return_5d", "rsi_14", "bollinger_20", "market_return_1d"])
def test_a_feature_that_is_a_session_ahead_is_found_and_named(walks: TrainingSet, name: str) -> None:
    found = suspects(shifted(walks, name))
    assert [(one.feature, one.impossible) for one in found] == [(name, True)]


def test_a_trace_of_the_outcome_is_a_warning(walks: TrainingSet) -> None:
    scaled = walks.outcome / walks.scale
    noise = np.random.default_rng(0).normal(0, 1, len(walks))
    (found,) = suspects(with_feature(walks, "macd", noise + 0.11 * scaled))
    assert (found.feature, found.impossible) == ("macd", False)


def test_luck_in_few_sessions_is_no_leak() -> None:
    """Thirty sessions often correlate by more than the bounds."""
    walks = random_walks(7)
    few = walks.at(walks.place < walks.place.min() + 30)
    assert not [one for one in suspects(few) if one.impossible]


def test_the_check_stops_a_leak_warns_of_a_trace_and_does_not_open_the_holdout(walks: TrainingSet) -> None:
    sealed_from = walks.session[len(walks) // 2].item()

    def check(data: TrainingSet) -> dg.AssetCheckResult:
        return leak_check(Rows(data, sealed_from, date_after))

    date_after = walks.outcome_session.max().item()
    honest, leaking = check(walks), check(shifted(walks, "return_1d"))
    assert (honest.passed, honest.check_name) == (True, NO_LEAK)
    assert (leaking.passed, leaking.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "return_1d" in leaking.metadata
    late = shifted(walks, "return_1d").features
    sealed = walks.session >= np.datetime64(sealed_from)
    unseen = dataclasses.replace(walks, features=np.where(sealed[:, None], late, walks.features))
    assert check(unseen).passed


def test_a_suspect_is_plain_to_read(walks: TrainingSet) -> None:
    (found,) = suspects(shifted(walks, "return_1d"))
    assert isinstance(found, Suspect)
    assert found.ic.value > 0.9
