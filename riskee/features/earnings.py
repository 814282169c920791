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
    report outside of them is unknown.
    """

    def __init__(
        self, reports: Mapping[str, Reports], sessions: Dates, state: FeatureState, window_sessions: int = 5
    ) -> None:
        self._state = state
        self._sessions = sessions.astype("datetime64[D]")
        self._window = window_sessions
        companies = [reports.get(ticker, NO_REPORTS) for ticker in state.tickers]
        shape = len(companies), max((len(company.date) for company in companies), default=0)
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

    def _within(self, days: Dates) -> Mask:
        if not len(self._sessions):
            return np.zeros(len(days), np.bool_)
        within: Mask = (days >= self._sessions[0]) & (days <= self._sessions[-1])
        return within

    def _place(self, index: Index, session: Dates | np.datetime64) -> Index:
        days = np.asarray(session).astype("datetime64[D]")
        return np.broadcast_to(np.searchsorted(self._sessions, days), index.shape).astype(np.int64)

    def _distances(self, index: Index, session: Dates | np.datetime64) -> tuple[Floats, Floats]:
        """Sessions to the next known report and since the last one before the session; infinite without one."""
        here = self._place(index, session)[:, None]
        distance = self._on[index] - here
        known = self._known[index] <= here
        ahead = np.where(known & (distance >= 0), distance, np.inf)
        behind = np.where(known & (distance < 0), -distance, np.inf)
        return ahead.min(axis=1, initial=np.inf), behind.min(axis=1, initial=np.inf)

    def near(self, index: Index, session: Dates | np.datetime64) -> Mask:
        """Which tickers (n,) have a report within the window, so that the earnings model serves them."""
        return np.minimum(*self._distances(index, session)) <= self._window

    def features(self, index: Index, session: Dates | np.datetime64) -> Floats:
        """The features (n, 4) in the order of EARNINGS; the state must have reached `session` (one or (n,))."""
        out = np.empty((len(index), len(EARNINGS)))
        ahead, behind = self._distances(index, session)
        out[:, 0] = np.minimum(ahead, EARNINGS_AHEAD_SESSIONS)
        out[:, 1] = np.minimum(behind, EARNINGS_SINCE_SESSIONS)
        chosen, columns = self._last_reports(index, self._place(index, session))
        out[:, 2] = self._usual_move(index, chosen, columns)
        out[:, 3] = self._last_surprise(index, chosen, columns)
        return out

    def _last_reports(self, index: Index, here: Index) -> tuple[Mask, Index]:
        """The columns (n, k <= 4) of the last past reports, by date, and which of them there are."""
        after = self._after[index]
        past = (self._past[index] <= here[:, None]) & (after >= here[:, None] - EARNINGS_PAST_SESSIONS)
        rank = np.cumsum(past[:, ::-1], axis=1)[:, ::-1]
        chosen = past & (rank <= EARNINGS_PAST_REPORTS)
        columns = np.argsort(~chosen, axis=1, kind="stable")[:, :EARNINGS_PAST_REPORTS]
        return np.take_along_axis(chosen, columns, axis=1), columns

    def _usual_move(self, index: Index, chosen: Mask, columns: Index) -> Floats:
        after = np.take_along_axis(self._after[index], columns, axis=1)
        moves = np.abs(self._state.returns_on(index, self._days_at(np.where(chosen, after, _NEVER))))
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
