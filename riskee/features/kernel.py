"""The live feature kernel: all technical features of all tickers, updated with each quote.

Every ticker's state is frozen at its last closed bar; the running bar of the session is kept beside it. A quote
replaces the running bar, so late, repeated and corrected quotes of a session leave no trace. The state depends on the
last WARM_UP_BARS bars of a ticker and of the market and on nothing else, to the last bit: a prediction can be made
again from a state that is built anew.
"""

import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import LONGEST_GAP_DAYS, NORMAL_FEATURES
from riskee.features.gaps import last_histories
from riskee.features.market_history import HISTORY, NO_SESSION, Index, MarketHistory
from riskee.features.rings import Rings
from riskee.features.windows import (
    AVERAGES,
    FLAT,
    MARKET_WINDOW,
    MOMENTS,
    SMOOTHED,
    Records,
    advance,
    averages,
    deviation,
    ema_inputs,
    moments,
    ratio,
    true_range,
)
from riskee.market.bars import BarMatrix, Dates, Floats

Mask = NDArray[np.bool_]

_RETURN_SESSIONS = (1, 5, 20, 60, 120, 252)
_COLUMN = {name: column for column, name in enumerate(NORMAL_FEATURES)}
_BAR = np.dtype([(name, np.float64) for name in ("close", "high", "low", "value")])


# Rows that are loaded or summarised together: the windows of all at once would take a hundred megabytes.
_BLOCK = 256


def _days(sessions: Dates) -> Index:
    return np.asarray(sessions).astype("datetime64[D]").astype(np.int64)


class FeatureState:
    """Rolling state of N tickers. Not safe for use by several threads at once.

    The last bar of `bars` counts as running until a later session arrives. After a gap of more than LONGEST_GAP_DAYS a
    ticker begins anew. `bars` may have no columns: then all state comes from `load` or `update`. A market ticker
    without bars leaves the market's features NaN.
    """

    def __init__(self, bars: BarMatrix, market_ticker: str) -> None:
        self.tickers = bars.tickers
        self.index_of = {ticker: row for row, ticker in enumerate(bars.tickers)}
        self._market = self.index_of.get(market_ticker)
        count = len(bars.tickers)
        self._market_history = MarketHistory()
        self._averages = np.full(count, np.nan, AVERAGES)
        self._moments = np.full(count, np.nan, MOMENTS)
        self._bar = np.full(count, np.nan, _BAR)
        self._session = np.full(count, NO_SESSION, np.int64)
        self.bars_seen: Index = np.zeros(count, np.int64)
        nan = np.float64(np.nan)
        self._closes = Rings(count, SMOOTHED + 1, nan)
        self._ranges = Rings(count, SMOOTHED, nan)
        self._closed = Rings(count, HISTORY, np.int64(NO_SESSION))
        self._values = Rings(count, 20, nan)
        self._returns = Rings(count, MARKET_WINDOW - 1, nan)
        self._market_returns = Rings(count, MARKET_WINDOW - 1, nan)
        self.load(bars)

    def load(self, bars: BarMatrix) -> None:
        """Begin anew with the bars of some tickers; the market's are loaded before the others' or with them."""
        if not bars.session.shape[1]:
            return
        if self._market is not None and self.tickers[self._market] in bars.tickers:
            place = bars.tickers.index(self.tickers[self._market])
            self._load_market(last_histories(bars.rows(slice(place, place + 1))))
        for start in range(0, len(bars.tickers), _BLOCK):
            self._load(last_histories(bars.rows(slice(start, start + _BLOCK))))

    def _load_market(self, bars: BarMatrix) -> None:
        close = (bars.close * bars.factor)[0]
        change = np.full_like(close, np.nan)
        change[1:] = np.log(close[1:] / close[:-1])
        self._market_history.load(_days(bars.session[0]), change)

    def _load(self, bars: BarMatrix) -> None:
        rows = np.array([self.index_of[ticker] for ticker in bars.tickers], np.int64)
        close, high, low = (price * bars.factor for price in (bars.close, bars.high, bars.low))
        value, days = bars.close * bars.volume, _days(bars.session)
        ranges, returns = np.full_like(close, np.nan), np.full_like(close, np.nan)
        ranges[:, 1:] = true_range(high[:, 1:], low[:, 1:], close[:, :-1])
        returns[:, 1:] = np.log(close[:, 1:] / close[:, :-1])
        market, _ = self._market_history.at(days[:, -MARKET_WINDOW:-1])
        self._closes.load(rows, close[:, :-1])
        self._ranges.load(rows, ranges[:, :-1])
        self._closed.load(rows, days[:, :-1])
        self._values.load(rows, value[:, :-1])
        self._returns.load(rows, returns[:, :-1])
        self._market_returns.load(rows, market)
        self.bars_seen[rows] = (~np.isnat(bars.session)).sum(axis=1)
        self._session[rows] = days[:, -1]
        for name, last in zip(_BAR.names or (), (close, high, low, value), strict=True):
            self._bar[name][rows] = last[:, -1]
        self._summarise(rows)

    def _summarise(self, rows: Index) -> None:
        """Bring averages and moments to the last closed bars."""
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            closes = self._closes.window(block, SMOOTHED + 1)
            self._averages[block] = averages(closes, self._ranges.window(block, SMOOTHED))
            self._moments[block] = moments(
                closes,
                self._values.window(block, 20),
                self._returns.window(block, MARKET_WINDOW - 1),
                self._market_returns.window(block, MARKET_WINDOW - 1),
            )

    def update(  # noqa: PLR0913, PLR0917 (a bar is seven numbers)
        self,
        index: Index,
        session: Dates | np.datetime64,
        open: Floats,  # noqa: A002, ARG002 (a bar has an open; no feature of today uses it)
        high: Floats,
        low: Floats,
        close: Floats,
        volume: Floats,
        factor: Floats,
    ) -> Mask:
        """Take the running bars of some tickers, each named once; raw prices and volumes, arrays of shape (n,).

        A later session closes the ticker's earlier bar first, or after a gap forgets all of them. A bar of an earlier
        session than the running one is left out. Answers which bars were taken. Raises ValueError when `index` names a
        ticker twice.
        """
        if len(np.unique(index)) != len(index):
            raise ValueError("an update names each ticker once")
        days = np.broadcast_to(_days(np.asarray(session)), index.shape)
        running = self._session[index]
        taken: Mask = days >= running
        gap = days > running + LONGEST_GAP_DAYS
        self._close_bars(index[(days > running) & ~gap])
        self._begin_anew(index[gap])
        rows = index[taken]
        self.bars_seen[rows] += days[taken] > running[taken]
        self._session[rows] = days[taken]
        for name, price in (("close", close), ("high", high), ("low", low)):
            self._bar[name][rows] = (price * factor)[taken]
        self._bar["value"][rows] = (close * volume)[taken]
        if self._market is not None and self._market in rows:
            self._take_market_bar(self._market)
        return taken

    def _close_bars(self, rows: Index) -> None:
        if not len(rows):
            return
        bar, previous = self._bar[rows], self._closes.back(rows, 1)
        self._closed.push(rows, self._session[rows])
        self._closes.push(rows, bar["close"])
        self._ranges.push(rows, true_range(bar["high"], bar["low"], previous))
        self._values.push(rows, bar["value"])
        self._returns.push(rows, np.log(bar["close"] / previous))
        self._market_returns.push(rows, self._market_history.at(self._session[rows])[0])
        self._summarise(rows)

    def _begin_anew(self, rows: Index) -> None:
        if not len(rows):
            return
        self.bars_seen[rows] = 0
        self._closed.forget(rows)
        for ring in (self._closes, self._ranges, self._values, self._returns, self._market_returns):
            ring.forget(rows)
        self._averages[rows] = np.nan
        self._moments[rows] = np.nan

    def _take_market_bar(self, row: int) -> None:
        known = self._moments[row]
        change = np.log(self._bar["close"][row] / self._closes.back(np.array([row]), 1)[0])
        volatility = deviation(known["return_mean_20"], known["return_squares_20"], 19, change)
        self._market_history.take(self._session[row], change, volatility)

    def sessions(self, index: Index) -> Dates:
        """The session of each ticker's running bar; NaT before its first."""
        days: Dates = self._session[index].astype("datetime64[D]")
        return days

    def returns_on(self, index: Index, days: Dates) -> Floats:
        """Log returns of the sessions `days` (n, k), where the ticker has a bar among the last HISTORY; else NaN."""
        wanted, row = _days(days), index[:, None]
        back = self._closed.find(index, wanted)
        closed = (back > 0) & (back < HISTORY)
        running = wanted == self._session[row]
        # Of a session that is not there the newest bar is taken, and then left out.
        back = np.where(closed, back, 1)
        before = np.where(running, self._closes.back(row, 1), self._closes.back(row, back + 1))
        close = np.where(running, self._bar["close"][row], self._closes.back(row, back))
        return np.where((closed | running) & (wanted != NO_SESSION), np.log(close / before), np.nan)

    def features(self, index: Index) -> Floats:
        """Technical features (n, 20) in the order of NORMAL_FEATURES; NaN where a window is not full."""
        bar, known = self._bar[index], self._moments[index]
        previous, close = self._closes.back(index, 1), bar["close"]
        out = np.empty((len(index), len(NORMAL_FEATURES)))
        for sessions in _RETURN_SESSIONS:
            out[:, _COLUMN[f"return_{sessions}d"]] = np.log(close / self._closes.back(index, sessions))
        change = out[:, _COLUMN["return_1d"]]
        for n in (5, 20, 60):
            mean, squares = known[f"return_mean_{n}"], known[f"return_squares_{n}"]
            out[:, _COLUMN[f"volatility_{n}d"]] = deviation(mean, squares, n - 1, change)
        for n in (5, 20):
            out[:, _COLUMN[f"volume_ratio_{n}d"]] = ratio(bar["value"], known[f"value_mean_{n}"])
        out[:, _COLUMN["dollar_volume_20d"]] = np.log1p((known["value_sum_20"] + bar["value"]) / 20)
        self._fill_market(out, index, change, known)
        self._fill_trend(out, close, known)
        inputs = ema_inputs(close, bar["high"], bar["low"], previous)
        self._fill_averages(out, advance(self._averages[index], inputs), close, self.bars_seen[index])
        return out

    def _fill_market(self, out: Floats, index: Index, change: Floats, known: Records) -> None:
        market, volatility = self._market_history.at(self._session[index])
        share = (MARKET_WINDOW - 1) / MARKET_WINDOW
        off_market = market - known["market_mean"]
        products = known["products"] + (change - known["return_mean_60"]) * off_market * share
        out[:, _COLUMN["beta_60d"]] = ratio(products, known["market_squares"] + np.square(off_market) * share)
        out[:, _COLUMN["market_return_1d"]] = market
        out[:, _COLUMN["market_volatility_20d"]] = volatility

    @staticmethod
    def _fill_trend(out: Floats, close: Floats, known: Records) -> None:
        medium, long = (known["close_sum_50"] + close) / 50, (known["close_sum_200"] + close) / 200
        out[:, _COLUMN["sma_50_200"]] = medium / long - 1
        mean = (known["close_mean_20"] * 19 + close) / 20
        spread = deviation(known["close_mean_20"], known["close_squares_20"], 19, close)
        out[:, _COLUMN["bollinger_20"]] = ratio(close - mean, np.where(spread > FLAT * mean, 2 * spread, 0.0))

    @staticmethod
    def _fill_averages(out: Floats, averages: Records, close: Floats, bars: Index) -> None:
        gain, loss = averages["gain"], averages["loss"]
        for name, bars_needed, value in (
            ("rsi_14", 15, 100 * ratio(gain, gain + loss)),
            ("macd", 26, (averages["fast"] - averages["slow"]) / close),
            ("atr_14", 15, averages["range"] / close),
        ):
            out[:, _COLUMN[name]] = np.where(bars >= bars_needed, value, np.nan)
