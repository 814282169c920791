"""Adjustment factors from a ticker's own splits and dividends. Vectorised; offline."""

import numpy as np

from riskee.market.bars import Floats


def adjustment_factors(close: Floats, dividend: Floats, split: Floats, spin_off: Floats) -> Floats:
    """Total-return factors (n,) seen from the last bar, whose own is 1: adjusted = raw x factor.

    `close` is raw, NaN where there is none; `dividend` is in dollars for each share that is held on the bar's day;
    `split` is new shares for each old one; `spin_off` is the share of the price that is left after whatever else was
    given away, 1 where nothing was. All are in order of time. As CRSP does it, a dividend D after a close P makes all
    earlier factors 1 - D/P times as large, and a split of s makes them 1/s times as large.

    A dividend that is no less than what was paid for the share has no factor: the earlier ones are then not positive.
    """
    if len(close) == 0:
        return np.ones(0)
    step = (1.0 - dividend[1:] * split[1:] / _last_known(close)[:-1]) / split[1:]
    # Before the first close no dividend can be weighed.
    step = np.where(np.isnan(step), 1.0 / split[1:], step)
    step = step * spin_off[1:]
    return np.append(np.cumprod(step[::-1])[::-1], 1.0)


def later_splits(split: Floats) -> Floats:
    """The product (n,) of the splits after each bar: what one of its shares has become by the last bar."""
    return np.append(np.cumprod(split[::-1])[::-1][1:], np.ones(min(1, len(split))))


def _last_known(close: Floats) -> Floats:
    known = np.maximum.accumulate(np.where(np.isnan(close), 0, np.arange(len(close))))
    return close[known]
