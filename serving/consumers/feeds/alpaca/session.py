"""The exchange's session that counts now, and what a live feed must know of its tickers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from riskee.errors import RetryableError
from riskee.market.sessions import Session
from riskee.messaging.messages import Quote
from riskee.storage.newest_bars import newest_factors
from riskee.storage.sessions import read_sessions
from riskee.storage.tables import quotes
from riskee.storage.tickers import read_tickers

_LONGEST_CLOSURE = timedelta(days=14)

_LAST_QUOTES = text("""
    SELECT latest.*
    FROM (SELECT ticker FROM tickers) AS wanted
    CROSS JOIN LATERAL (
        SELECT * FROM quotes
        WHERE quotes.ticker = wanted.ticker AND feed = :feed AND received_at >= :opens_at
        ORDER BY received_at DESC
        LIMIT 1
    ) AS latest
    WHERE latest.session_date = :session_date
""").columns(*quotes.columns)


@dataclass(frozen=True)
class Today:
    """The session that is under way or was last, the one after it, and the state of its tickers."""

    session: Session
    following: Session | None
    tickers: Sequence[str]
    factors: Mapping[str, float]
    last_quotes: Sequence[Quote]


def read_today(connection: Connection, now: datetime, feed: str) -> Today:
    """What the database knows of today. Raises RetryableError where it knows no sessions or tickers."""
    sessions = read_sessions(connection, (now - _LONGEST_CLOSURE).date(), (now + _LONGEST_CLOSURE).date())
    begun = [session for session in sessions if session.opens_at <= now]
    tickers = [info.ticker for info in read_tickers(connection) if not info.is_index]
    if not begun or not tickers:
        raise RetryableError("the database knows no sessions or no tickers", "import a history first: `riskee up`")
    session = begun[-1]
    moment = {"feed": feed, "opens_at": session.opens_at, "session_date": session.session_date}
    return Today(
        session,
        next((later for later in sessions if later.opens_at > now), None),
        tickers,
        newest_factors(connection, session.session_date),
        [Quote(**row) for row in connection.execute(_LAST_QUOTES, moment).mappings()],
    )
