"""Window statistics that take one more value without looking at the window again (Welford's update).

A window is summarised over its closed values; the provisional value is added when a feature is asked for. So an
update costs the same for any window, nothing drifts, and asking twice gives the same answer.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import WARM_UP_BARS
from riskee.market.bars import Floats

Records = NDArray[np.void]

# A deviation below this share of the mean is rounding, not movement.
FLAT = 1e-9
EMA_ALPHAS = {"gain": 1 / 14, "loss": 1 / 14, "fast": 2 / 13, "slow": 2 / 27, "range": 1 / 14}
MARKET_WINDOW = 60
# Closed bars over which an average is taken: what a state built from WARM_UP_BARS has of inputs that need the bar
# before, without its running bar.
SMOOTHED = WARM_UP_BARS - 2

_MOMENT_NAMES = (
    *(f"return_{part}_{n}" for n in (5, 20, 60) for part in ("mean", "squares")),
    *("value_mean_5", "value_mean_20", "value_sum_20"),
    *("market_mean", "market_squares", "products"),
    *("close_sum_50", "close_sum_200", "close_mean_20", "close_squares_20"),
)
MOMENTS = np.dtype([(name, np.float64) for name in _MOMENT_NAMES])
AVERAGES = np.dtype([(name, np.float64) for name in EMA_ALPHAS])
# What each of the last SMOOTHED values weighs, and what weight is left after so many.
_WEIGHTS = {name: alpha * (1 - alpha) ** np.arange(SMOOTHED - 1, -1, -1.0) for name, alpha in EMA_ALPHAS.items()}
_REST = {name: (1 - alpha) ** np.arange(SMOOTHED + 1) for name, alpha in EMA_ALPHAS.items()}


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient per element; NaN where the denominator is zero."""
    return np.divide(numerator, denominator, out=np.full_like(denominator, np.nan), where=denominator != 0)


def centred(values: Floats) -> tuple[Floats, Floats]:
    """Mean and sum of squared deviations of each row, in two passes."""
    mean = values.mean(axis=1)
    return mean, np.square(values - mean[:, None]).sum(axis=1)


def deviation(mean: Floats, squares: Floats, closed: int, value: Floats) -> Floats:
    """Sample deviation of `closed` summarised values and one more."""
    return np.sqrt((squares + np.square(value - mean) * (closed / (closed + 1))) / closed)


def moments(closes: Floats, values: Floats, returns: Floats, market: Floats) -> Records:
    """Summaries of all windows but their last value, one record per row. Windows that reach before the first bar
    are NaN. Shapes: closes (n, >=199), values (n, >=20), returns and market (n, 59)."""
    out = np.empty(len(closes), MOMENTS)
    for n in (5, 20, 60):
        out[f"return_mean_{n}"], out[f"return_squares_{n}"] = centred(returns[:, 1 - n :])
    out["value_mean_5"] = values[:, -5:].mean(axis=1)
    out["value_mean_20"] = values[:, -20:].mean(axis=1)
    out["value_sum_20"] = values[:, -19:].sum(axis=1)
    out["market_mean"], out["market_squares"] = centred(market)
    off_mean, off_market = returns - out["return_mean_60"][:, None], market - out["market_mean"][:, None]
    out["products"] = (off_mean * off_market).sum(axis=1)
    out["close_sum_50"] = closes[:, -49:].sum(axis=1)
    out["close_sum_200"] = closes[:, -199:].sum(axis=1)
    out["close_mean_20"], out["close_squares_20"] = centred(closes[:, -19:])
    return out


def averages(closes: Floats, ranges: Floats) -> Records:
    """Moving averages over the last SMOOTHED closed bars, one record per row, from closes (n, SMOOTHED + 1) and true
    ranges (n, SMOOTHED), NaN before the first.

    A weighted sum of these bars and nothing else: a recursion would differ in its last digits by where it once began,
    and a state that has lived for weeks from one that was built today.
    """
    out = np.empty(len(closes), AVERAGES)
    # Padding is NaN on the left; it weighs nothing, and the first value stands for all before.
    missing = np.isnan(ranges[:, 0]).any()
    changes = closes[:, 1:] - closes[:, :-1]
    taken = {"gain": np.maximum(changes, 0.0), "loss": np.maximum(np.negative(changes, out=changes), 0.0, out=changes)}
    taken |= {"range": ranges, "fast": closes[:, 1:], "slow": closes[:, 1:]}
    for name, values in taken.items():
        count = (~np.isnan(values)).sum(axis=1) if missing else np.full(len(values), SMOOTHED)
        first = values[np.arange(len(values)), np.minimum(SMOOTHED - count, SMOOTHED - 1)]
        # One sum a row in the row's own order, so that it does not depend on how many rows there are.
        total = np.einsum("ij,j->i", np.nan_to_num(values) if missing else values, _WEIGHTS[name])
        out[name] = total + first * _REST[name][count]
    return out


def ema_inputs(close: Floats, high: Floats, low: Floats, previous: Floats) -> Mapping[str, Floats]:
    """What each moving average takes in for one bar; NaN where the bar before is missing."""
    change = close - previous
    return {
        "gain": np.maximum(change, 0.0),
        "loss": np.maximum(-change, 0.0),
        "fast": close,
        "slow": close,
        "range": true_range(high, low, previous),
    }


def true_range(high: Floats, low: Floats, previous: Floats) -> Floats:
    """How far a bar reached, the close before it included; NaN where that is missing."""
    return np.maximum(high, previous) - np.minimum(low, previous)


def advance(averages: Records, inputs: Mapping[str, Floats]) -> Records:
    """Moving averages after one more bar. An average starts at its first input and ignores a missing one."""
    out = np.empty_like(averages)
    for name, alpha in EMA_ALPHAS.items():
        before, value = averages[name], inputs[name]
        after = before + alpha * (value - before)
        out[name] = np.where(np.isnan(before), value, np.where(np.isnan(value), before, after))
    return out
