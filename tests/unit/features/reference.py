"""The technical features once more, in plain pandas from the definitions: slow, obvious, independent of the kernel."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riskee.features.definitions import NORMAL_FEATURES
from riskee.market.bars import BarMatrix, Dates
from riskee.market.reports import Reports


def _log(series: "pd.Series[float]") -> "pd.Series[float]":
    return pd.Series(np.log(series.to_numpy()), index=series.index)


def _smooth(series: "pd.Series[float]") -> "pd.Series[float]":
    return series.ewm(alpha=1 / 14, adjust=False).mean()


def _adjusted(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.assign(
        **{name: bars[name] * bars["factor"] for name in ("high", "low", "close")}, value=bars["close"] * bars["volume"]
    )


def _histories(bars: pd.DataFrame) -> list[pd.DataFrame]:
    """The bars, parted where more than ten days lie between two."""
    number = (bars.index.to_series().diff() > pd.Timedelta(days=10)).cumsum()
    return [history for _, history in _adjusted(bars).groupby(number)]


def reference_features(bars: pd.DataFrame, market: pd.DataFrame) -> pd.DataFrame:
    """Features of one ticker's daily bars (index: session), in the order of NORMAL_FEATURES."""
    moves = [_log(history["close"] / history["close"].shift()) for history in _histories(market)]
    every_m, volatility = pd.concat(moves), pd.concat([move.rolling(20).std() for move in moves])
    return pd.concat([_features(history, every_m, volatility) for history in _histories(bars)])


def _features(bars: pd.DataFrame, every_m: "pd.Series[float]", volatility: "pd.Series[float]") -> pd.DataFrame:
    c, v = bars["close"], bars["value"]
    r, m = _log(c / c.shift()), every_m.reindex(bars.index)
    out = pd.DataFrame(index=bars.index)
    for n in (1, 5, 20, 60, 120, 252):
        out[f"return_{n}d"] = _log(c / c.shift(n))
    for n in (5, 20, 60):
        out[f"volatility_{n}d"] = r.rolling(n).apply(lambda window: window.std(ddof=1))
    for n in (5, 20):
        out[f"volume_ratio_{n}d"] = v / v.rolling(n).mean().shift()
    out["dollar_volume_20d"] = _log(1 + v.rolling(20).mean())
    out["beta_60d"] = r.rolling(60).cov(m) / m.rolling(60).var()
    out["market_return_1d"] = m
    out["market_volatility_20d"] = volatility.reindex(bars.index)
    gain, loss = c.diff().clip(lower=0), -c.diff().clip(upper=0)
    g, d = _smooth(gain), _smooth(loss)
    out["rsi_14"] = 100 * g / (g + d)
    out["macd"] = (c.ewm(span=12, adjust=False).mean() - c.ewm(span=26, adjust=False).mean()) / c
    out["sma_50_200"] = c.rolling(50).mean() / c.rolling(200).mean() - 1
    out["bollinger_20"] = (c - c.rolling(20).mean()) / (2 * c.rolling(20).std())
    before = c.shift()
    true_range = pd.concat([bars["high"], before], axis=1).max(axis=1) - pd.concat([bars["low"], before], axis=1).min(
        axis=1
    )
    out["atr_14"] = _smooth(true_range.where(before.notna())) / c
    for name, rows in (("rsi_14", 14), ("macd", 25), ("atr_14", 14)):
        out.loc[out.index[:rows], name] = np.nan
    return out[list(NORMAL_FEATURES)]


def random_bars(seed: int, tickers: int, sessions: int, *, gaps: float = 0.0) -> dict[str, pd.DataFrame]:
    """Made-up daily bars with dividends in the factor; every ticker but the first (the market) misses some sessions."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2010-01-04", periods=sessions)
    made = {}
    for number in range(tickers):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, sessions)))
        spread = np.exp(np.abs(rng.normal(0, 0.01, (2, sessions))))
        frame = pd.DataFrame(
            {
                "open": close * np.exp(rng.normal(0, 0.005, sessions)),
                "high": close * spread[0],
                "low": close / spread[1],
                "close": close,
                "volume": rng.integers(1_000, 1_000_000, sessions).astype(float),
                "factor": np.exp(np.cumsum(np.where(rng.random(sessions) < 0.02, 0.01, 0.0)) - 1),
            },
            index=days,
        )
        if number and gaps:
            frame = frame[rng.random(sessions) >= gaps]
        made["SPX" if number == 0 else f"T{number}"] = frame
    return made


def made_reports(days: Dates, known_before: int = 14, eps: Sequence[tuple[float, float]] | None = None) -> Reports:
    """Reports on these days, known so many days before at midnight, with (estimate, result) where they are given."""
    order = np.argsort(days)
    figures = np.full((len(days), 2), np.nan) if eps is None else np.array(eps, np.float64).reshape(-1, 2)[order]
    dates = days[order].astype("datetime64[D]")
    return Reports(dates, (dates - known_before).astype("datetime64[us]"), figures[:, 0], figures[:, 1])


def matrix(frames: dict[str, pd.DataFrame], count: int) -> BarMatrix:
    """The last `count` bars of each ticker as a BarMatrix."""

    def padded(values: np.ndarray, filler: object) -> np.ndarray:
        kept = values[-count:] if count else values[:0]
        return np.concatenate([np.full(count - len(kept), filler, values.dtype), kept])

    def columns(name: str) -> np.ndarray:
        return np.stack([padded(frame[name].to_numpy(), np.nan) for frame in frames.values()])

    sessions = [padded(f.index.to_numpy().astype("datetime64[D]"), np.datetime64("NaT", "D")) for f in frames.values()]
    fields = ("open", "high", "low", "close", "volume", "factor")
    return BarMatrix(tuple(frames), np.stack(sessions), *(columns(name) for name in fields))
