"""Attributions by groups."""

import math

import pytest

from riskee.explanation.attribution import GROUPS, drivers_of
from riskee.explanation.measures import shown
from riskee.features.definitions import FEATURES, Feature, features_of


def test_every_feature_is_in_one_group() -> None:
    grouped = [name for group in GROUPS for name in group.features]
    assert sorted(grouped) == sorted(feature.name for feature in FEATURES)


def test_groups_sum_their_features_and_name_the_strongest() -> None:
    names = features_of("normal")
    contributions = dict.fromkeys(names, 0.0) | {"return_60d": 0.003, "macd": -0.001, "rsi_14": -0.0005}
    values = dict.fromkeys(names, 1.5) | {"return_60d": math.nan}
    first, second = drivers_of("normal", values, [*contributions.values(), 0.0001], 5)
    assert (first.name, first.feature, first.value) == ("the trend of the last months", "return_60d", None)
    assert first.contribution == pytest.approx(0.002)
    assert (second.feature, second.value, second.contribution) == ("rsi_14", 1.5, -0.0005)


def test_only_the_strongest_are_kept() -> None:
    names = features_of("earnings")
    contributions = [0.001 * (1 + number) for number in range(len(names))]
    drivers = drivers_of("earnings", dict.fromkeys(names, 1.0), [*contributions, 0.0], 2)
    assert len(drivers) == 2
    assert drivers[0].contribution >= drivers[1].contribution


def test_a_group_that_the_model_did_not_see_moved_nothing() -> None:
    names = features_of("normal")
    contributions = dict.fromkeys(names, 0.0) | {"market_return_1d": 0.009, "rsi_14": 0.001}
    market = {"beta_60d": math.nan, "market_return_1d": math.nan, "market_volatility_20d": math.nan}
    (driver,) = drivers_of("normal", dict.fromkeys(names, 1.5) | market, [*contributions.values(), 0.0], 5)
    assert driver.feature == "rsi_14"
    assert drivers_of("normal", {}, [*contributions.values(), 0.0], 5) == ()


def test_contributions_of_another_model_type_are_refused() -> None:
    with pytest.raises(ValueError, match="24 contributions"):
        drivers_of("normal", {}, [0.0] * 24, 3)


@pytest.mark.parametrize(
    ("feature", "value", "text"),
    [
        ("return_60d", math.log(0.887), "-11.3%"),
        ("volatility_20d", 0.021, "2.1% a session"),
        ("volume_ratio_5d", 1.92, "1.9 times the usual"),
        ("dollar_volume_20d", math.log1p(2.5e9), "2,500.0 million a session"),
        ("rsi_14", 63.4, "63 of 100"),
        ("sessions_to_earnings", 1.0, "1 session"),
        ("earnings_surprise", 0.12, "+12% of the earnings"),
        ("return_5d", None, ""),
    ],
)
def test_values_are_shown_in_plain_words_with_their_unit(feature: str, value: float | None, text: str) -> None:
    assert shown(feature, value) == text


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_feature_can_be_shown(feature: Feature) -> None:
    assert shown(feature.name, 1.0)
