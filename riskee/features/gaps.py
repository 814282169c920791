"""Where a ticker's history begins anew: after a gap of more than LONGEST_GAP_DAYS nothing looks back across it."""

import numpy as np

from riskee.features.definitions import LONGEST_GAP_DAYS
from riskee.market.bars import BarMatrix


def last_histories(bars: BarMatrix) -> BarMatrix:
    """The bars after each ticker's last gap; those before it become padding."""
    days = bars.session.astype("datetime64[D]")
    gap = np.diff(days, axis=1) > np.timedelta64(LONGEST_GAP_DAYS, "D")  # never true beside padding
    old = np.zeros(days.shape, np.bool_)
    old[:, :-1] = np.logical_or.accumulate(gap[:, ::-1], axis=1)[:, ::-1]
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.factor)
    session = np.where(old, np.datetime64("NaT"), bars.session)
    return BarMatrix(bars.tickers, session, *(np.where(old, np.nan, column) for column in columns))
