"""How far each ticker's history reaches, and the viewpoint of its prices."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from sqlalchemy import Connection, text

# Each ticker's newest bar is the end of its key.
_NEWEST = text("""
    SELECT
        wanted.ticker,
        (
            SELECT CAST(max("timestamp") AT TIME ZONE 'UTC' AS date)
            FROM market_data
            WHERE ticker = wanted.ticker AND resolution = '1d'
        ) AS newest
    FROM unnest(CAST(:tickers AS text[])) AS wanted (ticker)
""")

_FACTORS = text("""
    SELECT tickers.ticker, newest.adjustment_factor
    FROM tickers
    CROSS JOIN LATERAL (
        SELECT adjustment_factor
        FROM market_data
        WHERE ticker = tickers.ticker AND resolution = '1d' AND "timestamp" <= :until
        ORDER BY "timestamp" DESC, version DESC
        LIMIT 1
    ) AS newest
""")


def newest_bars(connection: Connection, tickers: Iterable[str]) -> dict[str, date | None]:
    """The session of the newest daily bar of each ticker; None where there is no bar."""
    return {row.ticker: row.newest for row in connection.execute(_NEWEST, {"tickers": list(tickers)})}


def newest_factors(connection: Connection, until: date) -> dict[str, float]:
    """The adjustment factor of each ticker's newest daily bar of a session up to a day; tickers without are left out.

    A live quote bears it, for the state that it joins has the viewpoint of the stored bars.
    """
    midnight = datetime(until.year, until.month, until.day, tzinfo=UTC)
    return {row.ticker: row.adjustment_factor for row in connection.execute(_FACTORS, {"until": midnight})}
