"""What moved a prediction, summed over groups of related features and named in plain words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from riskee.explanation.measures import shown
from riskee.features.definitions import BY_NAME, features_of
from riskee.messaging.explanations import Driver
from riskee.messaging.messages import ModelType

# Beside the strongest driver, a contribution smaller than this (log return) is not worth a word.
NEGLIGIBLE = 1e-5


@dataclass(frozen=True)
class Group:
    """Features that a reader takes for one thing. Trees split credit between correlated features arbitrarily, so
    only their sum means something. `keywords` are the words by which a sentence speaks of the group."""

    name: str
    features: tuple[str, ...]
    keywords: tuple[str, ...]


GROUPS = (
    Group("the recent move", ("return_1d", "return_5d"), ("recent move", "last move", "last session's move")),
    Group(
        "the trend of the last months",
        ("return_20d", "return_60d", "return_120d", "return_252d", "macd", "sma_50_200"),
        ("trend", "momentum", "moving average"),
    ),
    Group("volatility", ("volatility_5d", "volatility_20d", "volatility_60d", "atr_14"), ("volatility", "volatile")),
    Group(
        "trading volume",
        ("volume_ratio_5d", "volume_ratio_20d", "dollar_volume_20d"),
        ("volume", "traded value"),
    ),
    Group(
        "the wider market",
        ("beta_60d", "market_return_1d", "market_volatility_20d"),
        ("wider market", "broad market", "overall market", "beta"),
    ),
    Group(
        "the place in the recent price range",
        ("rsi_14", "bollinger_20"),
        ("price range", "relative strength", "bollinger", "overbought", "oversold"),
    ),
    Group(
        "the earnings calendar",
        ("sessions_to_earnings", "sessions_since_earnings", "earnings_move", "earnings_surprise"),
        ("earnings calendar", "earnings", "report"),
    ),
)


def drivers_of(
    model_type: ModelType, features: Mapping[str, float], contributions: Sequence[float], limit: int
) -> tuple[Driver, ...]:
    """The strongest groups of one prediction, strongest first.

    `contributions` are in log return, one a feature in the model's order, then the base value. Each driver names its
    strongest feature and that feature's value (None when it is missing). A group of which the model saw no feature
    moved nothing that could be named, and is left out; without any group there is no driver.
    """
    names = features_of(model_type)
    if len(contributions) != len(names) + 1:
        raise ValueError(f"{len(contributions)} contributions for {len(names)} features and a base")
    by_name = dict(zip(names, contributions, strict=False))
    seen = {name for name in names if not math.isnan(features.get(name, math.nan))}
    drivers = [_driver(group, by_name, features) for group in GROUPS if not seen.isdisjoint(group.features)]
    drivers.sort(key=lambda driver: -abs(driver.contribution))
    return (*drivers[:1], *(driver for driver in drivers[1:limit] if abs(driver.contribution) >= NEGLIGIBLE))


def _driver(group: Group, contributions: Mapping[str, float], features: Mapping[str, float]) -> Driver:
    members = [name for name in group.features if name in contributions]
    strongest = max(members, key=lambda name: abs(contributions[name]))
    number = features.get(strongest, math.nan)
    value = None if math.isnan(number) else number
    return Driver(
        name=group.name,
        feature=strongest,
        value=value,
        contribution=math.fsum(contributions[name] for name in members),
        label=BY_NAME[strongest].label,
        unit=BY_NAME[strongest].unit,
        shown=shown(strongest, value),
    )
