"""A feature's value as a person reads it: in per cent, in times, in sessions."""

import math
from collections.abc import Callable, Mapping

_MILLION = 1e6


def _move(log_return: float) -> str:
    return f"{math.expm1(log_return):+.1%}"


def _size(share: float) -> str:
    return f"{share:.1%} a session"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times the usual"


def _traded(logarithm: float) -> str:
    return f"{math.expm1(logarithm) / _MILLION:,.1f} million a session"


def _beta(ratio: float) -> str:
    return f"{ratio:.2f} times the market's move"


def _index(points: float) -> str:
    return f"{points:.0f} of 100"


def _difference(share: float) -> str:
    return f"{share:+.1%}"


def _band(deviations: float) -> str:
    return f"{deviations:+.1f} of the band's half"


def _sessions(count: float) -> str:
    return f"{count:.0f} session{'' if round(count) == 1 else 's'}"


def _surprise(share: float) -> str:
    return f"{share:+.0%} of the earnings"


_SHOWN: Mapping[str, Callable[[float], str]] = {
    **dict.fromkeys(
        ("return_1d", "return_5d", "return_20d", "return_60d", "return_120d", "return_252d", "market_return_1d"), _move
    ),
    **dict.fromkeys(("volatility_5d", "volatility_20d", "volatility_60d", "market_volatility_20d", "atr_14"), _size),
    **dict.fromkeys(("volume_ratio_5d", "volume_ratio_20d"), _times),
    **dict.fromkeys(("macd", "sma_50_200"), _difference),
    **dict.fromkeys(("sessions_to_earnings", "sessions_since_earnings"), _sessions),
    "dollar_volume_20d": _traded,
    "beta_60d": _beta,
    "rsi_14": _index,
    "bollinger_20": _band,
    "earnings_move": _size,
    "earnings_surprise": _surprise,
}


def shown(feature: str, value: float | None) -> str:
    """The value of a feature with its unit; nothing where it is missing. Raises KeyError for no feature."""
    return "" if value is None else _SHOWN[feature](value)
