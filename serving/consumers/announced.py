"""What was announced of the market: halts, and when sessions begin and end. predict flags what it makes by it."""

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

    def outside_session(self, session_date: date, data_time: datetime) -> bool:
        """Whether a quote tells of a moment before its session's open, or at or after its close."""
        session = self.calendar.get(session_date)
        if session is not None and not session.opens_at <= data_time < session.closes_at:
            return True
        return self.closed_at is not None and session_date <= self.closed_on and data_time >= self.closed_at

    def session_at(self, moment: datetime) -> Session | None:
        """The session of the calendar that is open at a moment, if any."""
        session = self.calendar.get(moment.date())
        return session if session is not None and session.opens_at <= moment < session.closes_at else None

    def last_close(self, moment: datetime) -> datetime | None:
        """The calendar's last close until a moment, as far as it is known."""
        return max((s.closes_at for s in self.calendar.values() if s.closes_at <= moment), default=None)
