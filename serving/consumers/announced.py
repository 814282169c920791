"""What was announced of the market: halts, and when sessions begin and end. predict flags what it makes by it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from riskee.market.sessions import Session

_ALWAYS, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


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
        return self.outside(session_date, [data_time])[0]

    def outside(self, session_date: date, data_times: Sequence[datetime]) -> list[bool]:
        """As `outside_session`, of quotes of one session."""
        session = self.calendar.get(session_date)
        opens_at = session.opens_at if session else _ALWAYS
        closes_at = session.closes_at if session else _NEVER
        if self.closed_at is not None and session_date <= self.closed_on:
            closes_at = min(closes_at, self.closed_at)
        return [not opens_at <= data_time < closes_at for data_time in data_times]

    def session_at(self, moment: datetime) -> Session | None:
        """The session of the calendar that is open at a moment, if any."""
        session = self.calendar.get(moment.date())
        return session if session is not None and session.opens_at <= moment < session.closes_at else None

    def last_close(self, moment: datetime) -> datetime | None:
        """The calendar's last close until a moment, as far as it is known."""
        return max((s.closes_at for s in self.calendar.values() if s.closes_at <= moment), default=None)
