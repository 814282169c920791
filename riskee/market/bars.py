"""Daily bars: one by one, and of many tickers as matrices."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Bar:
    """One ticker's session: raw prices, volume in shares, adjusted price = raw x `factor`."""

    ticker: str
    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float
    factor: float


@dataclass(frozen=True)
class BarMatrix:
    """The latest bars of N tickers, newest last, padded on the left with NaN and NaT.

    Each array has the shape (N, bars). Prices are raw; adjusted = raw x `factor`. Rows are a ticker's own bars: a
    ticker that did not trade in a session has no column for it.
    """

    tickers: tuple[str, ...]
    session: Dates
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    factor: Floats

    def __post_init__(self) -> None:
        shape = self.session.shape
        if shape[0] != len(self.tickers) or any(
            array.shape != shape for array in (self.open, self.high, self.low, self.close, self.volume, self.factor)
        ):
            raise ValueError("the arrays of a BarMatrix share the shape (tickers, bars)")

    @classmethod
    def empty(cls, tickers: tuple[str, ...]) -> "BarMatrix":
        """No bars of these tickers."""
        nothing = np.empty((len(tickers), 0))
        return cls(tickers, nothing.astype("datetime64[D]"), *(nothing for _ in range(6)))

    def rows(self, chosen: slice) -> "BarMatrix":
        """The bars of some of the tickers."""
        numbers = (self.open, self.high, self.low, self.close, self.volume, self.factor)
        return BarMatrix(self.tickers[chosen], self.session[chosen], *(column[chosen] for column in numbers))
