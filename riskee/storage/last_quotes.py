"""Where tickers were when their last quotes came."""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, text

from riskee.messaging.messages import Quote
from riskee.storage.tables import quotes

# So many of a ticker's quotes may have come in another order than that of their times.
_SHUFFLED = 16
# A live feed's quotes of a session come until so long after its day began, and before the next one's.
_LAST_WORD = timedelta(hours=30)

# The quotes that came last are the end of a ticker's key: a probe each, however many there are.
_LAST = text("""
    SELECT DISTINCT ON (came.ticker) came.*
    FROM unnest(CAST(:tickers AS text[])) AS wanted (ticker)
    CROSS JOIN LATERAL (
        SELECT *
        FROM quotes
        WHERE quotes.ticker = wanted.ticker AND received_at BETWEEN :since AND :until
        ORDER BY received_at DESC
        LIMIT :shuffled
    ) AS came
    WHERE came.feed = :feed AND came.session_date = :session
    ORDER BY came.ticker, came.data_time DESC, came.sequence DESC
""").columns(*quotes.columns)

# Of each ticker the quote that came last, of any feed.
_NEWEST = text("""
    SELECT came.*
    FROM unnest(CAST(:tickers AS text[])) AS wanted (ticker)
    CROSS JOIN LATERAL (
        SELECT *
        FROM quotes
        WHERE quotes.ticker = wanted.ticker
        ORDER BY received_at DESC
        LIMIT 1
    ) AS came
""").columns(*quotes.columns)


def newest_quotes(connection: Connection, tickers: Collection[str]) -> list[Quote]:
    """The quote of each ticker that was received last, of any feed."""
    return [Quote(**row) for row in connection.execute(_NEWEST, {"tickers": list(tickers)}).mappings()]


def session_quotes(
    connection: Connection, feed: str, session: date, tickers: Collection[str], until: datetime
) -> list[Quote]:
    """Each ticker's last quote of a session, by its own time, of those that came until a moment."""
    return _last(connection, feed, session, tickers, datetime.min.replace(tzinfo=UTC), until)


def closing_quotes(connection: Connection, feed: str, session: date, tickers: Collection[str]) -> list[Quote]:
    """Each ticker's last quote of a past session, by its own time, of those that a live feed brought on its day."""
    return _last(connection, feed, session, tickers, *_on_its_day(session))


def came_on_its_day(quote: Quote) -> bool:
    """Whether a live feed brought it on its session's day."""
    since, until = _on_its_day(quote.session_date)
    return since <= quote.received_at <= until


def _on_its_day(session: date) -> tuple[datetime, datetime]:
    midnight = datetime.combine(session, time(), UTC)
    return midnight, midnight + _LAST_WORD


def _last(
    connection: Connection, feed: str, session: date, tickers: Collection[str], since: datetime, until: datetime
) -> list[Quote]:
    chosen = {"feed": feed, "session": session, "tickers": list(tickers), "since": since, "until": until}
    rows = connection.execute(_LAST, {**chosen, "shuffled": _SHUFFLED})
    return [Quote(**row) for row in rows.mappings()]
