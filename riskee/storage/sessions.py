"""The trading sessions in the database, from which serving knows the calendar without pandas."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date

from sqlalchemy import Connection, select

from riskee.market.sessions import Session
from riskee.storage.tables import trading_sessions
from riskee.storage.upsert import upsert


def write_sessions(connection: Connection, sessions: Iterable[Session]) -> None:
    """Add the sessions; a known session takes the new times."""
    rows = [asdict(session) for session in sessions]
    upsert(connection, trading_sessions, rows, ("session_date",), ("opens_at", "closes_at"))


def read_sessions(connection: Connection, first: date = date.min, last: date = date.max) -> list[Session]:
    """The known sessions from `first` to `last`, both included, in order."""
    day = trading_sessions.c.session_date
    statement = select(trading_sessions).where(day.between(first, last)).order_by(day)
    return [Session(*row) for row in connection.execute(statement)]
