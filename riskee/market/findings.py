"""What is odd in accepted daily bars, which are kept: what to look at. Vectorised; offline: it needs pandas."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskee.market.sessions import Session
from riskee.storage.findings import OF_HISTORY, WHOLE_SOURCE, Finding, Kind

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

# An adjusted close that doubles or halves overnight is rare enough to be looked at, and real often enough to be kept.
JUMP = np.log(2.0)
# A price rarely opens further from the close before, least of all on the one day of a split.
SLACK = np.log(1.08)
# Vendors write 7:1 as 7.000007.
_ROUNDING = 1e-5
# Splits are n:1, 3:2, 4:3, 5:4 and the like, or their inverse. 1.054 is no split: it is the value of what was spun off.
_DENOMINATORS = np.array([1, 2, 3, 4])
# More missing sessions than this share of a history are one finding, not hundreds.
SPARSE = 0.1
# A bar is judged by the one before, and by whether that one had jumped itself.
_CONTEXT = 2
# So many tickers over two years, of which not one ends early, were chosen by who was still there.
_SURVIVORS = 20
_SURVIVED_SESSIONS = 504


def find(accepted: pd.DataFrame, sessions: list[Session], *, whole: bool = True) -> list[Finding]:
    """The oddities of validated bars of one source, ordered by ticker and session, among the exchange's sessions.

    Where they are not the `whole` of each ticker but its last days, nothing is said of histories, and nothing of the
    bars that are there as the context of others.
    """
    if accepted.empty:
        return []
    days = np.array([session.session_date for session in sessions], dtype="datetime64[D]")
    number = np.searchsorted(days, accepted["session"].to_numpy().astype("datetime64[D]"))
    of_bars = [*_actions(accepted), *_empty(accepted), *_holes(accepted, number, days, whole=whole)]
    if whole:
        return [*of_bars, *_extent(accepted, number)]
    context = accepted[~judged(accepted, whole=False)]
    unjudged = set(zip(context["ticker"], context["session"].dt.date, strict=True))
    return [one for one in of_bars if one.kind not in OF_HISTORY and (one.ticker, one.session) not in unjudged]


def judged(accepted: pd.DataFrame, *, whole: bool) -> Mask:
    """Which bars (n,) `find` can say something of."""
    return np.array(whole | (accepted.groupby("ticker").cumcount() >= _CONTEXT), dtype=bool)


def thin(bars: pd.DataFrame, sessions: list[Session]) -> Iterator[Finding]:
    """Tickers for which intraday rows leave out too much of their sessions. Such rows are refused, since daily bars are
    stored; this much is said of them before they are used for anything else."""
    length = pd.Series({pd.Timestamp(one.session_date): one.closes_at - one.opens_at for one in sessions})
    for ticker, moments in bars.groupby("ticker")["session"]:
        stamps = moments.drop_duplicates().sort_values()
        day = stamps.dt.normalize()
        step = stamps.diff()[day == day.shift()].min()
        if pd.isna(step):
            continue
        wanted = length.reindex(day.unique()).dropna().sum() / step
        if len(stamps) < (1 - SPARSE) * wanted:
            minutes = step.total_seconds() / 60
            told = f"{len(stamps)} of {wanted:.0f} intraday bars of {minutes:g} min are there; none is stored"
            yield Finding(str(ticker), day.iloc[0].date(), Kind.SPARSE, told)


def usual_split(split: Floats) -> Mask:
    """Whether a ratio (n,), or its inverse, is one that companies split by."""
    # No company splits by more; beyond, quotient and product may overflow.
    ratio = np.clip(split, 1e-9, 1e9)
    steps = np.maximum(ratio, 1 / ratio)[:, None] * _DENOMINATORS
    near = np.abs(steps - np.round(steps)) <= _ROUNDING * steps
    return np.array(near.any(axis=1), dtype=bool)


def _actions(bars: pd.DataFrame) -> Iterator[Finding]:
    """Splits and factors that the price contradicts, odd ratios that it does not, and adjusted prices that jump."""
    log = {name: np.log(bars[name].to_numpy()) for name in ("open", "close", "adjustment_factor")}
    first = ~bars["ticker"].duplicated().to_numpy()
    opening = log["open"] - np.roll(log["close"], 1)
    factor = np.diff(log["adjustment_factor"], prepend=np.nan)
    whole = np.diff(log["close"], prepend=np.nan) + factor
    opening[first] = factor[first] = whole[first] = 0.0
    split = bars["split"].to_numpy()
    is_split = split != 1
    left = np.abs(opening + factor)
    # A split's day is one of thousands, so what is left of the move is the split's. Dividends are paid on wild days
    # too: they are doubted only where the price without them moved less.
    unexplained = (left > SLACK) & (is_split | ((np.abs(factor) > SLACK) & (left > np.abs(opening))))
    odd = np.zeros(len(bars), dtype=bool)
    odd[is_split] = ~usual_split(split[is_split])
    dividend = bars["dividend"].to_numpy()

    def action(row: int) -> str:
        moved, by = np.exp(opening[row]), np.exp(factor[row])
        return (
            f"split {split[row]:g}, dividend {dividend[row]:g}: opened at {moved:.3f} of the close before, "
            f"{moved * by:.3f} when adjusted by {by:.4f}"
        )

    yield from _each(bars, is_split & unexplained, Kind.SUSPICIOUS_SPLIT, action)
    yield from _each(bars, ~is_split & unexplained, Kind.SUSPICIOUS_FACTOR, action)
    yield from _each(bars, odd & ~unexplained, Kind.SPIN_OFF_RATIO, action)
    yield from _jumps(bars, whole)


def _jumps(bars: pd.DataFrame, change: Floats) -> Iterator[Finding]:
    """Adjusted closes that doubled or halved: those that went back the next day may be wrong, the others happen.

    `change` (n,) is the log of each adjusted close against the one before, 0 for a ticker's first.
    """
    large = np.abs(change) > JUMP
    spike = large & (np.abs(change + np.roll(change, -1)) < SLACK)
    back = np.roll(spike, 1)

    def detail(row: int) -> str:
        return f"the adjusted close is {np.exp(change[row]):.3f} of the one before"

    yield from _each(bars, spike, Kind.PRICE_SPIKE, lambda row: f"{detail(row)}, and back the next day")
    yield from _each(bars, large & ~spike & ~back, Kind.PRICE_JUMP, detail)


def _empty(bars: pd.DataFrame) -> Iterator[Finding]:
    """Bars without volume, and tickers that never have one, or only a close."""
    ticker = bars["ticker"]
    still = (bars["volume"] == 0).to_numpy()
    never = pd.Series(still).groupby(ticker.to_numpy()).transform("all").to_numpy()
    flat = (bars["low"] == bars["high"]).to_numpy()
    close_only = pd.Series(flat).groupby(ticker.to_numpy()).transform("all").to_numpy() & never
    first = ~ticker.duplicated().to_numpy()
    close = bars["close"].to_numpy()
    yield from _each(
        bars, still & ~never, Kind.ZERO_VOLUME, lambda row: f"nothing was traded; the close is {close[row]:g}"
    )
    yield from _each(bars, first & never, Kind.NO_VOLUME, lambda _: "no bar of the source has a volume")
    yield from _each(
        bars,
        first & close_only,
        Kind.CLOSE_ONLY,
        lambda _: "the source has closes only: open, high and low are the same",
    )


def _extent(bars: pd.DataFrame, number: Numbers) -> Iterator[Finding]:
    """Tickers that begin later, or end earlier, than the source; and a source in which none ends."""
    first = ~bars["ticker"].duplicated().to_numpy()
    last = ~bars["ticker"].duplicated(keep="last").to_numpy()
    begin, end = bars["session"].min(), bars["session"].max()
    ends = last & (bars["session"] < end).to_numpy()
    yield from _each(
        bars,
        first & (bars["session"] > begin).to_numpy(),
        Kind.LATE_LISTING,
        lambda _: f"the first bar; the source begins on {begin:%Y-%m-%d}",
    )
    yield from _each(bars, ends, Kind.EARLY_END, lambda _: f"the last bar; the source ends on {end:%Y-%m-%d}")
    if first.sum() >= _SURVIVORS and np.ptp(number) >= _SURVIVED_SESSIONS and not ends.any():
        told = f"all {first.sum()} tickers trade to the last session: those that vanished are not in the source"
        yield Finding(WHOLE_SOURCE, end.date(), Kind.SURVIVORSHIP_BIAS, told)


def _holes(bars: pd.DataFrame, number: Numbers, days: NDArray[np.datetime64], *, whole: bool) -> Iterator[Finding]:
    """Runs of sessions without a bar between a ticker's first and last; of a whole history with many, how many."""
    first = ~bars["ticker"].duplicated().to_numpy()
    missing = np.diff(number, prepend=0) - 1
    missing[first] = 0
    span = pd.Series(number).groupby(bars["ticker"].to_numpy())
    sessions = (span.transform("max") - span.transform("min") + 1).to_numpy()
    lacking = pd.Series(missing).groupby(bars["ticker"].to_numpy()).transform("sum").to_numpy()
    sparse = whole & (lacking > SPARSE * sessions)
    yield from _each(
        bars, first & sparse, Kind.SPARSE, lambda row: f"{lacking[row]} of {sessions[row]} sessions have no bar"
    )
    yield from _each(
        bars,
        (missing > 0) & ~sparse,
        Kind.GAP,
        lambda row: f"{missing[row]} sessions from {days[number[row] - missing[row]]} on have no bar before this one",
    )


def _each(bars: pd.DataFrame, odd: Mask, kind: Kind, detail: Callable[[int], str]) -> Iterator[Finding]:
    rows = np.flatnonzero(odd).tolist()
    for row, ticker, session in zip(rows, bars["ticker"].iloc[rows], bars["session"].iloc[rows], strict=True):
        yield Finding(ticker, session.date(), kind, detail(row))
