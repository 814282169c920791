"""The trading days, and where the tickers of a state stand between their reports, as the database has them."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.market.bars import Dates
from riskee.storage.calendar import calendar_mark, reports
from riskee.storage.sessions import read_sessions


@dataclass(frozen=True)
class Calendar:
    """What was read at one moment."""

    # The trading days, ascending.
    sessions: Dates
    earnings: EarningsFeatures
    # Tickers of which no report is known.
    unreported: frozenset[str]
    # Another one where anything of it was changed.
    mark: str


def read_calendar(connection: Connection, state: FeatureState, window_sessions: int) -> Calendar:
    """The calendar for the tickers of a state; a report is near within so many sessions."""
    mark, known = calendar_mark(connection), reports(connection, state.tickers)
    days = np.array([session.session_date for session in read_sessions(connection)], dtype="datetime64[D]")
    earnings = EarningsFeatures(known, days, state, window_sessions)
    return Calendar(days, earnings, frozenset(ticker for ticker in state.tickers if ticker not in known), mark)
