"""What was announced of the market: halts and closes. predict flags what it makes by it."""

from dataclasses import dataclass, field
from datetime import date, datetime

from riskee.market.sessions import Session


@dataclass
class Announced:
    """Known to all who predict in a process; `serving/consumers/silence.py` keeps it up to date."""

    # Tickers whose trading is halted.
    halted: frozenset[str] = frozenset()
    # The last close that a feed announced: for the sessions up to its day.
    closed_at: datetime | None = None
    closed_on: date = date.min
    # The sessions of the calendar by day, early closes included.
    calendar: dict[date, Session] = field(default_factory=dict)

    def after_close(self, session_date: date, data_time: datetime) -> bool:
        """Whether a quote tells of a moment at or after its session's close, by the calendar or by the feed."""
        session = self.calendar.get(session_date)
        if session is not None and data_time >= session.closes_at:
            return True
        return self.closed_at is not None and session_date <= self.closed_on and data_time >= self.closed_at
