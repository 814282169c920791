"""The checks that a daily bar must pass before it is stored. Vectorised; offline: it needs pandas."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskee.market.findings import find, thin
from riskee.market.frames import PRICES
from riskee.market.sessions import Session
from riskee.messaging.messages import TICKER_PATTERN
from riskee.storage.findings import Finding

_TICKER = re.compile(TICKER_PATTERN)
Mask = NDArray[np.bool_]

# Quotients such as an adjusted price are off by a few units in the last place; a wrong price is off by more.
TOLERANCE = 1e-6
INTRADAY = "has a time of day: not a daily bar"


@dataclass(frozen=True)
class Validated:
    """`accepted` has BAR_COLUMNS but for the source, ordered by ticker and session; `reasons` names the others' faults.

    In an accepted bar open and close lie between low and high, which were widened by a rounding where need be.
    `reasons` has the index of the refused rows. `findings` name accepted rows that deserve a look.
    """

    accepted: pd.DataFrame
    reasons: "pd.Series[str]"
    findings: tuple[Finding, ...] = ()


def validate(bars: pd.DataFrame, sessions: list[Session], now: datetime, *, whole: bool = True) -> Validated:
    """Split the bars of one source into those that can be right and those that cannot, each with its first fault.

    `bars` has the columns ticker, session (naive midnight) and the numbers of `riskee.market.frames`, and a unique
    index; `sessions` are those of the exchange over the bars' range; `whole` is that of RawBars.
    """
    reasons = pd.Series(pd.NA, index=bars.index, dtype="object")
    for check in (_identity, _date(sessions, now), _price, _other_numbers):
        for reason, wrong in check(bars):
            reasons[wrong & reasons.isna().to_numpy()] = reason
    duplicates = _duplicates(bars[reasons.isna()])
    reasons[duplicates.index] = duplicates
    accepted = _widened(bars[reasons.isna()].sort_values(["ticker", "session"]))
    accepted = accepted.assign(known_at=_known_at(accepted["session"], sessions))
    findings = (*find(accepted, sessions, whole=whole), *thin(bars[(reasons == INTRADAY).to_numpy()], sessions))
    return Validated(accepted, reasons.dropna().astype(str), findings)


def _identity(bars: pd.DataFrame) -> Iterator[tuple[str, Mask]]:
    wellformed = {ticker: True for ticker in bars["ticker"].unique() if _TICKER.fullmatch(str(ticker))}
    yield "malformed ticker", bars["ticker"].map(wellformed).isna().to_numpy()


def _date(sessions: list[Session], now: datetime) -> Callable[[pd.DataFrame], Iterator[tuple[str, Mask]]]:
    open_days = np.array([session.session_date for session in sessions], dtype="datetime64[D]")
    # A bar is known once its session is over.
    closed = np.array([session.closes_at <= now for session in sessions], dtype=bool)

    def check(bars: pd.DataFrame) -> Iterator[tuple[str, Mask]]:
        stamp = bars["session"].to_numpy()
        day = stamp.astype("datetime64[D]")
        yield "date cannot be read: write it as 2012-01-31", np.isnat(stamp)
        yield INTRADAY, stamp != day
        yield "date in the future", day > np.datetime64(now.date(), "D")
        yield "no trading session on this date", ~np.isin(day, open_days)
        yield "session not over yet", np.isin(day, open_days[~closed])

    return check


def _price(bars: pd.DataFrame) -> Iterator[tuple[str, Mask]]:
    price = {name: bars[name].to_numpy() for name in PRICES}
    for name, values in price.items():
        yield f"{name} is not a number", ~np.isfinite(values)
    for name, values in price.items():
        yield f"{name} is not positive", values <= 0
    with np.errstate(over="ignore"):  # an absurd price becomes infinite, which compares as it should
        lowest, highest = price["low"] * (1 - TOLERANCE), price["high"] * (1 + TOLERANCE)
    yield "high is below low", price["high"] < lowest
    for name in ("open", "close"):
        yield f"{name} is outside of low and high", (price[name] > highest) | (price[name] < lowest)


def _other_numbers(bars: pd.DataFrame) -> Iterator[tuple[str, Mask]]:
    for name, least in (("volume", 0.0), ("dividend", 0.0)):
        values = bars[name].to_numpy()
        yield f"{name} is not a number", ~np.isfinite(values)
        yield f"{name} is negative", values < least
    for name in ("adjustment_factor", "split"):
        values = bars[name].to_numpy()
        yield f"{name} is not a positive number", ~(np.isfinite(values) & (values > 0))


def _duplicates(bars: pd.DataFrame) -> "pd.Series[str]":
    """The first of equal rows stays. Rows that contradict each other all go: nobody can say which is right."""
    key = ["ticker", "session"]
    repeated = bars.duplicated(key, keep=False)
    if not repeated.any():
        return pd.Series(dtype=str)
    twins = bars[repeated]
    variants = twins.drop_duplicates()
    disputed = pd.MultiIndex.from_frame(variants.loc[variants.duplicated(key), key])
    conflicting = pd.MultiIndex.from_frame(twins[key]).isin(disputed)
    reasons = pd.Series("duplicate", index=twins.index, dtype="object")
    reasons[conflicting] = "contradicts another row of the same ticker and date"
    return reasons[twins.duplicated(key, keep="first").to_numpy() | conflicting]


def _widened(accepted: pd.DataFrame) -> pd.DataFrame:
    """Low and high with open and close between them exactly: the replay and the features take no tolerance."""
    prices = accepted[list(PRICES)]
    return accepted.assign(low=prices.min(axis=1), high=prices.max(axis=1))


def _known_at(accepted: "pd.Series[pd.Timestamp]", sessions: list[Session]) -> pd.DatetimeIndex:
    """When each bar's session closed. Every accepted day is among the sessions, which are in order."""
    days = np.array([session.session_date for session in sessions], dtype="datetime64[D]")
    closes = pd.DatetimeIndex([session.closes_at for session in sessions], tz="UTC")
    return closes.take(np.searchsorted(days, accepted.to_numpy().astype("datetime64[D]")))
