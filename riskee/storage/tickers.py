"""The tickers that the database knows, and what it has of each."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import Connection, bindparam, case, func, select, text, update
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
class Company:
    """What a company is called, and the sector of the economy that it is counted to."""

    ticker: str
    name: str
    sector: str


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
    """Add the tickers. A known one takes the new kind, and where there are such the new name and sector; a name that
    is the ticker itself is none."""
    rows = [asdict(info) for info in infos]
    if not rows:
        return
    statement = insert(tickers)
    new = statement.excluded
    changed = {
        "name": case((new.name == new.ticker, tickers.c.name), else_=new.name),
        "is_index": new.is_index,
        "source": new.source,
        "sector": func.coalesce(new.sector, tickers.c.sector),
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["ticker"], set_=changed), rows)


def describe_tickers(connection: Connection, companies: Iterable[Company]) -> int:
    """Give known tickers their company's name and sector; returns how many are known. Others are not added."""
    statement = update(tickers).where(tickers.c.ticker == bindparam("of"))
    rows = [{"of": one.ticker, "name": one.name, "sector": one.sector} for one in companies]
    known = set(connection.scalars(select(tickers.c.ticker)))
    wanted = [row for row in rows if row["of"] in known]
    if wanted:
        connection.execute(statement, wanted)
    return len(wanted)


def read_tickers(connection: Connection) -> list[TickerInfo]:
    """All tickers, in order."""
    return [TickerInfo(*row) for row in connection.execute(select(tickers).order_by(tickers.c.ticker))]


def summaries(connection: Connection) -> list[TickerSummary]:
    """What there is of each ticker, in order."""
    return [
        TickerSummary(ticker, name, first, last, bars, versions, tuple(sources), quarantined)
        for ticker, name, first, last, bars, versions, sources, quarantined in connection.execute(_SUMMARIES)
    ]
