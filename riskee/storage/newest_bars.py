"""How far each ticker's history reaches."""

from collections.abc import Iterable
from datetime import date

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


def newest_bars(connection: Connection, tickers: Iterable[str]) -> dict[str, date | None]:
    """The session of the newest daily bar of each ticker; None where there is no bar."""
    return {row.ticker: row.newest for row in connection.execute(_NEWEST, {"tickers": list(tickers)})}
