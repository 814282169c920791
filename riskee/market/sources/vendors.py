"""Vendors as sources: one ticker after another, and what one of them lacks does not stop the others."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import pandas as pd

from riskee.errors import PoisonError, RetryableError
from riskee.market.adjustment import adjustment_factors
from riskee.market.frames import NUMBERS, PRICES, RawBars
from riskee.storage.tickers import TickerInfo

_ACTIONS = ("dividend", "split", "spin_off")
# What a vendor's adapter returns for one ticker, in order of time: naive midnights and float64.
HISTORY_COLUMNS = ("session", *PRICES, "volume", *_ACTIONS)


@dataclass(frozen=True)
class History:
    """One ticker's daily bars, raw as traded: the columns HISTORY_COLUMNS, and others that the vendor has.

    The actions are those of `riskee.market.adjustment`: `dividend` in dollars for each share of that day, `split` new
    shares for each old one, `spin_off` the share of the price that was left.
    """

    bars: pd.DataFrame
    info: TickerInfo | None = None
    notes: tuple[str, ...] = ()


class Vendor(Protocol):
    """Sells or gives away histories."""

    @property
    def source(self) -> str:
        """What the rows' `source` says: the vendor and its feed."""
        ...

    def history(self, ticker: str, first: date, last: date) -> History:
        """The bars from `first` to `last`, both included.

        Raises NotFoundError where the vendor has none, PoisonError where its answer makes no sense, RetryableError
        where it does not answer after some tries, FatalError where it refuses the caller.
        """
        ...


class CutShortError(RetryableError):
    """A vendor stopped answering; `partial` is what it gave until then."""

    def __init__(self, failure: RetryableError, partial: RawBars | None) -> None:
        super().__init__(failure.cause, failure.remedy)
        self.partial = partial


@dataclass(frozen=True)
class VendorSource:
    """The histories of `tickers`, each from its own first day to `last`."""

    vendor: Vendor
    tickers: Mapping[str, date]
    last: date
    # Called after each ticker.
    asked: Callable[[], None] | None = None

    def read(self) -> RawBars:
        """All rows; a ticker without any is named in the notes.

        Raises PoisonError when no ticker has any, CutShortError when the vendor stopped answering, FatalError as the
        vendor does.
        """
        found: list[History] = []
        notes: list[str] = []
        for ticker, first in self.tickers.items():
            try:
                found.append(_named(ticker, self.vendor.history(ticker, first, self.last)))
            except PoisonError as error:
                notes.append(f"{ticker}: {error.cause}")
            except RetryableError as error:
                rest = f"stopped at {ticker}: {error.cause}"
                raise CutShortError(error, self._raw(found, [*notes, rest]) if found else None) from error
            if self.asked is not None:
                self.asked()
        if not found:
            raise PoisonError(
                f"{self.vendor.source} has nothing of what was asked for: {'; '.join(notes)}", "check the tickers"
            )
        return self._raw(found, notes)

    def _raw(self, found: list[History], notes: list[str]) -> RawBars:
        rows = pd.concat([history.bars for history in found], ignore_index=True)
        bars = rows[["ticker", "session", *NUMBERS]]
        notes = [*(note for history in found for note in history.notes), *notes]
        infos = tuple(history.info for history in found if history.info)
        name = f"{self.vendor.source} {min(self.tickers.values())}..{self.last}"
        return RawBars(self.vendor.source, name, _sha256(rows), rows, bars, infos, tuple(notes), whole=False)


def _named(ticker: str, history: History) -> History:
    """With the ticker and its factors in the bars, and its name before its notes."""
    columns = (history.bars[name].to_numpy("float64") for name in ("close", *_ACTIONS))
    bars = history.bars.assign(ticker=ticker, adjustment_factor=adjustment_factors(*columns))
    return replace(history, bars=bars, notes=tuple(f"{ticker}: {note}" for note in history.notes))


def _sha256(rows: pd.DataFrame) -> str:
    return hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()
