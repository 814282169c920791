"""The exchange's session that counts now, and what a live feed must know of its tickers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import numpy as np
from sqlalchemy import Connection, text

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.market.adjustment import adjustment_factors
from riskee.market.sessions import Session
from riskee.messaging.messages import Quote
from riskee.storage.sessions import read_sessions
from riskee.storage.tables import quotes
from riskee.storage.tickers import read_tickers

_log = get_logger(__name__)

_LONGEST_CLOSURE = timedelta(days=14)

_LAST_QUOTES = text("""
    SELECT latest.*
    FROM (SELECT ticker FROM tickers) AS wanted
    CROSS JOIN LATERAL (
        SELECT * FROM quotes
        WHERE quotes.ticker = wanted.ticker AND feed = :feed AND received_at >= :opens_at
            AND session_date = :session_date
        ORDER BY data_time DESC, sequence DESC
        LIMIT 1
    ) AS latest
""").columns(*quotes.columns)


_PREVIOUS = text("""
    SELECT tickers.ticker, newest.close, newest.adjustment_factor AS factor
    FROM tickers
    CROSS JOIN LATERAL (
        SELECT close, adjustment_factor
        FROM market_data
        WHERE ticker = tickers.ticker AND resolution = '1d' AND "timestamp" < :midnight
        ORDER BY "timestamp" DESC, version DESC
        LIMIT 1
    ) AS newest
""")


@dataclass(frozen=True, slots=True)
class Previous:
    """Raw close and adjustment factor of a ticker's last bar before the session."""

    close: float
    factor: float

    def factor_after(self, split: float, dividend: float) -> float:
        """The factor of a session that begins with a split (new shares for each old one) and a dividend in dollars.

        A dividend that is above the price is not believed, and the factor stays.
        """
        closes = np.array([self.close, np.nan])
        step, _ = adjustment_factors(closes, np.array([0.0, dividend]), np.array([1.0, split]), np.ones(2))
        if step <= 0:
            _log.warning("a dividend above the price is not believed", dividend=dividend, close=self.close)
            return self.factor
        return self.factor / float(step)


@dataclass(frozen=True)
class Today:
    """The session that is under way or was last, the one after it, and the state of its tickers."""

    session: Session
    following: Session | None
    tickers: Sequence[str]
    previous: Mapping[str, Previous]
    last_quotes: Sequence[Quote]

    @property
    def factors(self) -> dict[str, float]:
        """The factor of each ticker's last bar before the session."""
        return {ticker: bar.factor for ticker, bar in self.previous.items()}


def read_today(connection: Connection, now: datetime, feed: str) -> Today:
    """What the database knows of today. Raises RetryableError where it knows no sessions or tickers."""
    sessions = read_sessions(connection, (now - _LONGEST_CLOSURE).date(), (now + _LONGEST_CLOSURE).date())
    begun = [session for session in sessions if session.opens_at <= now]
    tickers = [info.ticker for info in read_tickers(connection) if not info.is_index]
    if not begun or not tickers:
        raise RetryableError("the database knows no sessions or no tickers", "import a history first: `riskee up`")
    session = begun[-1]
    midnight = datetime.combine(session.session_date, time(), UTC)
    moment = {"feed": feed, "opens_at": session.opens_at, "session_date": session.session_date}
    return Today(
        session,
        next((later for later in sessions if later.opens_at > now), None),
        tickers,
        {row.ticker: Previous(row.close, row.factor) for row in connection.execute(_PREVIOUS, {"midnight": midnight})},
        [Quote(**row) for row in connection.execute(_LAST_QUOTES, moment).mappings()],
    )
