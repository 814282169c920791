"""Which companies were in an index, and when."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import Connection, text

from riskee.storage.tables import index_membership
from riskee.storage.upsert import upsert

# A company that was a member, left and came back is one: days are asked for one at a time.
_SURVIVORSHIP = text("""
    WITH traded AS (
        SELECT ticker, min("timestamp") AS first, max("timestamp") AS last
        FROM market_data
        JOIN tickers USING (ticker)
        WHERE resolution = '1d' AND NOT is_index
        GROUP BY ticker
    ),
    span AS (
        SELECT
            CAST(min(first) AT TIME ZONE 'UTC' AS date) AS first,
            CAST(max(last) AT TIME ZONE 'UTC' AS date) AS last
        FROM traded
    ),
    member AS (
        SELECT DISTINCT
            ticker,
            joined <= span.first AND ("left" IS NULL OR "left" > span.first) AS at_first,
            joined <= span.last AND ("left" IS NULL OR "left" > span.last) AS at_last,
            ticker IN (SELECT ticker FROM traded) AS has_bars
        FROM index_membership
        CROSS JOIN span
        WHERE index_name = :index_name AND joined <= span.last AND ("left" IS NULL OR "left" > span.first)
    )
    SELECT
        span.first,
        span.last,
        (SELECT count(*) FROM traded),
        count(DISTINCT ticker) FILTER (WHERE at_first),
        count(DISTINCT ticker) FILTER (WHERE at_first AND has_bars),
        count(DISTINCT ticker) FILTER (WHERE at_last),
        count(DISTINCT ticker) FILTER (WHERE at_last AND has_bars),
        count(DISTINCT ticker),
        count(DISTINCT ticker) FILTER (WHERE NOT has_bars)
    FROM span
    LEFT JOIN member ON true
    GROUP BY span.first, span.last
    HAVING count(ticker) > 0
""")


@dataclass(frozen=True, slots=True)
class Membership:
    """One stay of a company in an index, from `joined` on and, where it ended, until before `left`."""

    index_name: str
    ticker: str
    joined: date
    left: date | None
    source: str


@dataclass(frozen=True, slots=True)
class Survivorship:
    """How many of an index's members, at the first and last session with bars and between them, have bars."""

    first: date
    last: date
    tickers: int
    members_first: int
    members_first_with_bars: int
    members_last: int
    members_last_with_bars: int
    members: int
    members_without_bars: int


def write_membership(connection: Connection, stays: Iterable[Membership]) -> None:
    """Add the stays; a known one takes the new end."""
    rows = [asdict(stay) for stay in stays]
    upsert(connection, index_membership, rows, ("index_name", "ticker", "joined"), ("left", "source"))


def read_survivorship(connection: Connection, index_name: str) -> Survivorship | None:
    """What the bars have of the index's members; None without bars, or without members in their time."""
    row = connection.execute(_SURVIVORSHIP, {"index_name": index_name}).one_or_none()
    return None if row is None else Survivorship(*row)
