"""The tickers that the database knows, and what it has of each."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from riskee.storage.tables import tickers


@dataclass(frozen=True, slots=True)
class TickerInfo:
    """A ticker; an index is the market's, and is not predicted itself."""

    ticker: str
    name: str
    is_index: bool
    source: str
    sector: str | None = None


@dataclass(frozen=True, slots=True)
class TickerSummary:
    """What the database has of one ticker's daily bars."""

    ticker: str
    name: str
    first: date | None
    last: date | None
    bars: int
    # Rows in all: more than `bars` where a bar was corrected.
    versions: int
    sources: tuple[str, ...]
    quarantined: int


_SUMMARIES = text("""
    SELECT
        tickers.ticker,
        tickers.name,
        stored.first,
        stored.last,
        COALESCE(stored.bars, 0),
        COALESCE(stored.versions, 0),
        COALESCE(stored.sources, '{}'),
        COALESCE(refused.quarantined, 0)
    FROM tickers
    LEFT JOIN (
        SELECT
            ticker,
            CAST(min("timestamp") AT TIME ZONE 'UTC' AS date) AS first,
            CAST(max("timestamp") AT TIME ZONE 'UTC' AS date) AS last,
            count(*) FILTER (WHERE version = 1) AS bars,
            count(*) AS versions,
            array_agg(DISTINCT source) AS sources
        FROM market_data
        WHERE resolution = '1d'
        GROUP BY ticker
    ) AS stored USING (ticker)
    LEFT JOIN (
        -- A refused row may be any text, so it is not parsed as JSON.
        SELECT substring(body FROM '"ticker": ?"([^"]+)"') AS ticker, count(*) AS quarantined
        FROM quarantine
        GROUP BY 1
    ) AS refused USING (ticker)
    ORDER BY tickers.ticker
""")


def write_tickers(connection: Connection, infos: Iterable[TickerInfo]) -> None:
    """Add the tickers; a known one takes the new name and kind, and the new sector where there is one."""
    rows = [asdict(info) for info in infos]
    if not rows:
        return
    statement = insert(tickers)
    changed: dict[str, Any] = {name: statement.excluded[name] for name in ("name", "is_index", "source")}
    changed["sector"] = func.coalesce(statement.excluded.sector, tickers.c.sector)
    connection.execute(statement.on_conflict_do_update(index_elements=["ticker"], set_=changed), rows)


def read_tickers(connection: Connection) -> list[TickerInfo]:
    """All tickers, in order."""
    return [TickerInfo(*row) for row in connection.execute(select(tickers).order_by(tickers.c.ticker))]


def summaries(connection: Connection) -> list[TickerSummary]:
    """What there is of each ticker, in order."""
    return [
        TickerSummary(ticker, name, first, last, bars, versions, tuple(sources), quarantined)
        for ticker, name, first, last, bars, versions, sources, quarantined in connection.execute(_SUMMARIES)
    ]
