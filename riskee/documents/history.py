"""A ticker's bars as plain arrays, and the trailing statistics that documents speak of."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from riskee.features.gaps import last_histories
from riskee.market.bars import BarMatrix, Floats


@dataclass(frozen=True)
class History:
    """One ticker's bars, oldest first; each array has one entry a bar.

    `close`, `high`, `low`, `open` are adjusted; `raw_close` is what was paid; `value` is the traded value; `move` is
    the log return to the bar before (NaN for the first). `sources` names where each bar is from.
    """

    ticker: str
    sessions: tuple[date, ...]
    closed_at: tuple[datetime, ...]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    raw_close: Floats
    value: Floats
    move: Floats
    sources: tuple[str, ...]

    def first_at(self, since: date) -> int:
        """The position of the first bar on or after a date."""
        return int(np.searchsorted(np.array(self.sessions, dtype="datetime64[D]"), np.datetime64(since)))


def histories(
    bars: BarMatrix, closes: Mapping[date, datetime], sources: Mapping[str, Sequence[tuple[date, str]]]
) -> list[History]:
    """Take a matrix apart. Left out are days that the exchange's calendar does not have, and all before a long gap.

    `sources` gives for each ticker with bars, in order, from which session on its bars are from which source.
    """
    present = last_histories(bars)
    return [_history(present, row, closes, sources.get(ticker, ())) for row, ticker in enumerate(bars.tickers)]


def _history(
    bars: BarMatrix, row: int, closes: Mapping[date, datetime], sources: Sequence[tuple[date, str]]
) -> History:
    days = bars.session[row].astype("datetime64[D]")
    keep = np.array([day in closes for day in days.tolist()], dtype=bool)
    kept = tuple(days[keep].tolist())
    factor = bars.factor[row][keep]
    raw_close = bars.close[row][keep]
    close = raw_close * factor
    return History(
        ticker=bars.tickers[row],
        sessions=kept,
        closed_at=tuple(closes[session] for session in kept),
        open=bars.open[row][keep] * factor,
        high=bars.high[row][keep] * factor,
        low=bars.low[row][keep] * factor,
        close=close,
        raw_close=raw_close,
        value=raw_close * bars.volume[row][keep],
        move=np.diff(np.log(close), prepend=np.nan),
        sources=tuple(sources[bisect_right(sources, session, key=itemgetter(0)) - 1][1] for session in kept),
    )


def trailing_mean(values: Floats, window: int) -> Floats:
    """Mean of the `window` latest values including the current one; NaN until there are as many."""
    return _trailing(values, window, lambda rows: rows.mean(axis=1))


def trailing_deviation(values: Floats, window: int) -> Floats:
    """Sample deviation of the `window` latest values including the current one; NaN until there are as many."""
    return _trailing(values, window, lambda rows: rows.std(axis=1, ddof=1))


def trailing_max(values: Floats, window: int) -> Floats:
    """Largest of the `window` latest values including the current one; NaN until there are as many."""
    return _trailing(values, window, lambda rows: rows.max(axis=1))


def before(values: Floats) -> Floats:
    """Each bar's predecessor's value; NaN for the first."""
    return np.concatenate(([np.nan], values[:-1])) if len(values) else values


def smoothed(values: Floats, alpha: float) -> Floats:
    """The exponential moving average from the first value on: e_t = e_(t-1) + alpha (x_t - e_(t-1))."""
    result = np.empty_like(values)
    state = values[0] if len(values) else np.nan
    for position, value in enumerate(values):
        state += alpha * (value - state)
        result[position] = state
    return result


def _trailing(values: Floats, window: int, reduce: Callable[[Floats], Floats]) -> Floats:
    result = np.full(len(values), np.nan)
    if len(values) >= window:
        result[window - 1 :] = reduce(sliding_window_view(values, window))
    return result
