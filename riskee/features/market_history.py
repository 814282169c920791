"""What the market did in each of its last sessions, to set each ticker's move beside it."""

import numpy as np
from numpy.typing import NDArray

from riskee.features.windows import centred, deviation
from riskee.market.bars import Floats

Index = NDArray[np.int64]

# Closed bars that are kept: one more than the longest look-back (the moves on the last year's earnings reports).
HISTORY = 301
# NaT as a number of days: before every session.
NO_SESSION = np.iinfo(np.int64).min


class MarketHistory:
    """The market's sessions (as days since 1970), returns and volatilities; the last place is its running bar."""

    def __init__(self) -> None:
        self._session = np.full(HISTORY + 1, NO_SESSION, np.int64)
        self._return = np.full(HISTORY + 1, np.nan)
        self._volatility = np.full(HISTORY + 1, np.nan)

    def load(self, days: Index, returns: Floats) -> None:
        """Begin with these sessions and their returns, both (n,)."""
        volatility = np.full_like(returns, np.nan)
        if len(returns) >= 20:
            windows = np.lib.stride_tricks.sliding_window_view(returns, 20)
            # As the kernel computes it for a running bar, to the last digit.
            mean, squares = centred(np.ascontiguousarray(windows[:, :-1]))
            volatility[19:] = deviation(mean, squares, 19, windows[:, -1])
        kept = min(len(days), HISTORY + 1)
        if kept:
            self._session[-kept:] = days[-kept:]
            self._return[-kept:] = returns[-kept:]
            self._volatility[-kept:] = volatility[-kept:]

    def take(self, day: np.int64, change: Floats, volatility: Floats) -> None:
        """Replace the running bar, or begin the next one where the day is another."""
        if self._session[-1] not in (day, NO_SESSION):
            for history in (self._session, self._return, self._volatility):
                history[:-1] = history[1:]
        self._session[-1], self._return[-1], self._volatility[-1] = day, change, volatility

    def at(self, days: Index) -> tuple[Floats, Floats]:
        """The market's return and volatility of these sessions; NaN where it has no bar."""
        place = np.minimum(np.searchsorted(self._session, days), HISTORY)
        found = self._session[place] == days
        return np.where(found, self._return[place], np.nan), np.where(found, self._volatility[place], np.nan)
