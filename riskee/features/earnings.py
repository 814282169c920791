"""The features of the earnings model, from the calendar and the running state."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import (
    EARNINGS,
    EARNINGS_AHEAD_SESSIONS,
    EARNINGS_PAST_REPORTS,
    EARNINGS_PAST_SESSIONS,
    EARNINGS_SINCE_SESSIONS,
)
from riskee.features.kernel import FeatureState, Mask
from riskee.features.market_history import Index
from riskee.features.windows import ratio
from riskee.market.bars import Dates, Floats
from riskee.market.reports import NO_REPORTS, Reports

# Stands for a report that is not there: farther away than any session.
_NEVER = np.int64(1 << 40)


class EarningsFeatures:
    """Where each ticker of `state` stands between its reports, and what became of the past ones.

    `reports` holds the reports of each ticker, `sessions` all exchange sessions in order, well into the future; a
    report outside of them is unknown. Within a session only the move on a report of the day before changes with the
    quotes: all else is computed once a session and ticker.
    """

    def __init__(
        self, reports: Mapping[str, Reports], sessions: Dates, state: FeatureState, window_sessions: int = 5
    ) -> None:
        self._state = state
        self._sessions = sessions.astype("datetime64[D]")
        self._window = window_sessions
        companies = [reports.get(ticker, NO_REPORTS) for ticker in state.tickers]
        shape = len(companies), max((1, *(len(company.date) for company in companies)))
        # One row a ticker, by date, padded on the right: the session of each report, the session after it, the first
        # one in which its date is known.
        self._on, self._after, self._known = (np.full(shape, _NEVER, np.int64) for _ in range(3))
        self._surprise = np.full(shape, np.nan)
        for row, company in enumerate(companies):
            within = self._within(company.date)
            days, columns = company.date[within], np.arange(within.sum())
            self._on[row, columns] = np.searchsorted(self._sessions, days, side="left")
            self._after[row, columns] = np.searchsorted(self._sessions, days, side="right")
            self._known[row, columns] = np.searchsorted(self._sessions, company.known_days()[within], side="left")
            self._surprise[row, columns] = surprise(company.eps_estimate, company.eps_reported)[within]
        # The first session in which a report is both over and known.
        self._past = np.maximum(self._after, self._known)
        # What was computed for a session, and for which rows it holds until the session ends.
        self._session: np.datetime64 = np.datetime64("NaT", "D")
        self._holds = np.zeros(len(companies), np.bool_)
        self._features = np.full((len(companies), len(EARNINGS)), np.nan)
        self._near = np.zeros(len(companies), np.bool_)

    def _within(self, days: Dates) -> Mask:
        if not len(self._sessions):
            return np.zeros(len(days), np.bool_)
        within: Mask = (days >= self._sessions[0]) & (days <= self._sessions[-1])
        return within

    def near(self, index: Index, session: np.datetime64) -> Mask:
        """Which tickers (n,) have a report within the window, so that the earnings model serves them."""
        return self.at(index, session)[1]

    def features(self, index: Index, session: np.datetime64) -> Floats:
        """The features (n, 4) in the order of EARNINGS; the state must have reached `session`."""
        return self.at(index, session)[0]

    def at(self, index: Index, session: np.datetime64) -> tuple[Floats, Mask]:
        """As `features` and `near`, at the cost of one of them."""
        self._refresh(index, session)
        return self._features[index], self._near[index]

    def _refresh(self, index: Index, session: np.datetime64) -> None:
        if session != self._session:
            self._session = session
            self._holds[:] = False
        rows = index[~self._holds[index]]
        if len(rows):
            here = np.int64(np.searchsorted(self._sessions, session))
            self._compute(rows, here)

    def _compute(self, rows: Index, here: np.int64) -> None:
        ahead, behind = self._distances(rows, here)
        self._near[rows] = np.minimum(ahead, behind) <= self._window
        chosen, columns = self._last_reports(rows, here)
        days = self._days_at(np.where(chosen, np.take_along_axis(self._after[rows], columns, axis=1), _NEVER))
        self._features[rows] = np.column_stack(
            [
                np.minimum(ahead, EARNINGS_AHEAD_SESSIONS),
                np.minimum(behind, EARNINGS_SINCE_SESSIONS),
                self._usual_move(rows, days),
                self._last_surprise(rows, chosen, columns),
            ]
        )
        reached = self._state.sessions(rows)
        self._holds[rows] = (reached == self._session) & (days != reached[:, None]).all(axis=1)

    def _distances(self, index: Index, here: np.int64) -> tuple[Floats, Floats]:
        """Sessions to the next known report and since the last one before the session; infinite without one."""
        distance = self._on[index] - here
        known = self._known[index] <= here
        ahead = np.where(known & (distance >= 0), distance, np.inf)
        behind = np.where(known & (distance < 0), -distance, np.inf)
        return ahead.min(axis=1, initial=np.inf), behind.min(axis=1, initial=np.inf)

    def _last_reports(self, index: Index, here: np.int64) -> tuple[Mask, Index]:
        """The columns (n, 4) of the last past reports, by date, and which of them there are."""
        past = (self._past[index] <= here) & (self._after[index] >= here - EARNINGS_PAST_SESSIONS)
        rank = np.cumsum(past[:, ::-1], axis=1)[:, ::-1]
        rows, places = np.nonzero(past & (rank <= EARNINGS_PAST_REPORTS))
        columns = np.zeros((len(index), EARNINGS_PAST_REPORTS), np.int64)
        chosen = np.zeros(columns.shape, np.bool_)
        place = EARNINGS_PAST_REPORTS - rank[rows, places]
        columns[rows, place], chosen[rows, place] = places, True
        return chosen, columns

    def _usual_move(self, index: Index, days: Dates) -> Floats:
        moves = np.abs(self._state.returns_on(index, days))
        there = ~np.isnan(moves)
        count = there.sum(axis=1)
        total = np.where(there, moves, 0.0).sum(axis=1)
        return ratio(total, count.astype(np.float64))

    def _last_surprise(self, index: Index, chosen: Mask, columns: Index) -> Floats:
        values = np.where(chosen, np.take_along_axis(self._surprise[index], columns, axis=1), np.nan)
        last = np.full(len(index), np.nan)
        for column in values.T:
            last = np.where(np.isnan(column), last, column)
        return last

    def _days_at(self, places: NDArray[np.int64]) -> Dates:
        known = places < len(self._sessions)
        days = self._sessions[np.where(known, places, 0)]
        days[~known] = np.datetime64("NaT")
        return days


def surprise(estimate: Floats, reported: Floats) -> Floats:
    """The difference of two EPS by the mean of their sizes, within -1..1; NaN where one is missing.

    Relative to the estimate alone, an estimate near zero makes any result a surprise of thousands.
    """
    size = np.abs(reported) + np.abs(estimate)
    return np.where(size == 0, 0.0, np.clip(ratio(2 * (reported - estimate), size), -1.0, 1.0))
