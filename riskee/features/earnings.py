"""The features of the earnings model, from the calendar and the running state."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import (
    EARNINGS_AHEAD_SESSIONS,
    EARNINGS_MOVE_REPORTS,
    EARNINGS_MOVE_SESSIONS,
    EARNINGS_SINCE_SESSIONS,
)
from riskee.features.kernel import FeatureState, Index, Mask
from riskee.features.windows import ratio
from riskee.market.bars import Dates, Floats

# Stands for a report that is not there: farther away than any session.
_NEVER = np.int64(1 << 40)


class EarningsFeatures:
    """Where each ticker of `state` stands between its reports, and how it used to move on them.

    `reports` holds report dates per ticker, `sessions` all exchange sessions in order, well into the future; a report
    outside of them is unknown.
    """

    def __init__(
        self, reports: Mapping[str, Dates], sessions: Dates, state: FeatureState, window_sessions: int = 5
    ) -> None:
        self._state = state
        self._sessions = sessions.astype("datetime64[D]")
        self._window = window_sessions
        dates = [self._known(reports.get(ticker, np.empty(0, "datetime64[D]"))) for ticker in state.tickers]
        most = max((len(days) for days in dates), default=0)
        # One row a ticker, padded on the right: the session of each report, and the session after it.
        self._on = np.full((len(dates), most), _NEVER, np.int64)
        self._after = np.full((len(dates), most), _NEVER, np.int64)
        for row, days in enumerate(dates):
            self._on[row, : len(days)] = np.searchsorted(self._sessions, days, side="left")
            self._after[row, : len(days)] = np.searchsorted(self._sessions, days, side="right")

    def _known(self, days: Dates) -> Dates:
        days = np.unique(days.astype("datetime64[D]"))
        if not len(self._sessions):
            return np.empty(0, "datetime64[D]")
        within = (days >= self._sessions[0]) & (days <= self._sessions[-1])
        return np.asarray(days[within], "datetime64[D]")

    def _place(self, index: Index, session: Dates | np.datetime64) -> Index:
        days = np.asarray(session).astype("datetime64[D]")
        return np.broadcast_to(np.searchsorted(self._sessions, days), index.shape).astype(np.int64)

    def _distances(self, index: Index, session: Dates | np.datetime64) -> tuple[Floats, Floats]:
        """Sessions to the next report and since the last one before the session; infinite without one."""
        here = self._place(index, session)[:, None]
        on = self._on[index]
        ahead = np.where((on >= here) & (on < _NEVER), on - here, np.inf)
        behind = np.where(on < here, here - on, np.inf)
        return ahead.min(axis=1, initial=np.inf), behind.min(axis=1, initial=np.inf)

    def near(self, index: Index, session: Dates | np.datetime64) -> Mask:
        """Which tickers (n,) have a report within the window, so that the earnings model serves them."""
        return np.minimum(*self._distances(index, session)) <= self._window

    def features(self, index: Index, session: Dates | np.datetime64) -> Floats:
        """The three features (n, 3) in the order of EARNINGS; the state must have reached `session` (one or (n,))."""
        out = np.empty((len(index), 3))
        ahead, behind = self._distances(index, session)
        out[:, 0] = np.minimum(ahead, EARNINGS_AHEAD_SESSIONS)
        out[:, 1] = np.minimum(behind, EARNINGS_SINCE_SESSIONS)
        out[:, 2] = self._usual_move(index, self._place(index, session))
        return out

    def _usual_move(self, index: Index, here: Index) -> Floats:
        if not self._after.shape[1]:
            return np.full(len(index), np.nan)
        after = self._after[index]
        past = (after <= here[:, None]) & (after >= here[:, None] - EARNINGS_MOVE_SESSIONS)
        # The latest past reports: they stand last in their row.
        rank = np.cumsum(past[:, ::-1], axis=1)[:, ::-1]
        chosen = past & (rank <= EARNINGS_MOVE_REPORTS)
        order = np.argsort(~chosen, axis=1, kind="stable")[:, :EARNINGS_MOVE_REPORTS]
        places = np.take_along_axis(np.where(chosen, after, _NEVER), order, axis=1)
        moves = np.abs(self._state.returns_on(index, self._days_at(places)))
        there = ~np.isnan(moves)
        count = there.sum(axis=1)
        total = np.where(there, moves, 0.0).sum(axis=1)
        return ratio(total, count.astype(np.float64))

    def _days_at(self, places: NDArray[np.int64]) -> Dates:
        known = places < len(self._sessions)
        days = self._sessions[np.where(known, places, 0)]
        days[~known] = np.datetime64("NaT")
        return days
