"""Daily bars in the database: reading those of sessions, and merging new ones in as versions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, text

from riskee.market.bars import Bar
from riskee.storage.bars_merge import COPY, COPY_TYPES, LINK, MERGE, NAME_TICKERS, OVERRULED, STAGE, STORED
from riskee.storage.database import driver_of
from riskee.storage.partitions import ensure_partitions
from riskee.storage.tables import TIME_SERIES, market_data

if TYPE_CHECKING:
    import pandas as pd

DAILY = "1d"
# Identifies the writers of bars among PostgreSQL's advisory locks: versions are counted by one at a time.
_LOCK = 0x5269736B02
_SERIES = next(series for series in TIME_SERIES if series.table is market_data)

_SESSION_BARS = text("""
    SELECT ticker, session_date, open, high, low, close, volume, adjustment_factor
    FROM bars
    WHERE resolution = '1d' AND "timestamp" BETWEEN :first AND :last
    ORDER BY "timestamp", ticker
""")

_SOURCE_CHANGES = text("""
    SELECT ticker, session_date, source
    FROM (
        SELECT ticker, session_date, source, lag(source) OVER (PARTITION BY ticker ORDER BY session_date) AS before
        FROM bars
        WHERE resolution = '1d' AND "timestamp" >= :first
    ) AS bar
    WHERE before IS DISTINCT FROM source
    ORDER BY ticker, session_date
""")

_KNOWN = text("""
    SELECT session_date, version, open, high, low, close, volume, adjustment_factor, dividend, split, source, known_at
    FROM bars_known_at(:known)
    WHERE ticker = :ticker AND resolution = '1d'
    ORDER BY "timestamp" DESC
    LIMIT :count
""")

# The newest day counts only if at least half as many tickers traded as on the day with bars before it: a stray late bar
# of one ticker among hundreds must not move the window. Each ticker's last days suffice, read backwards along the key.
_DAYS_WITH_BARS = text("""
    SELECT day
    FROM unnest(CAST(:days AS date[])) AS wanted (day)
    WHERE EXISTS (
        SELECT 1
        FROM market_data
        WHERE resolution = '1d' AND "timestamp" = CAST(day AS timestamp) AT TIME ZONE 'UTC'
    )
    ORDER BY day
""")

_LAST_SESSIONS = text("""
    WITH traded AS (
        SELECT last.day, count(*) AS tickers, lag(count(*), 1, CAST(0 AS bigint)) OVER (ORDER BY last.day) AS before
        FROM tickers
        CROSS JOIN LATERAL (
            SELECT DISTINCT "timestamp" AS day
            FROM market_data
            WHERE ticker = tickers.ticker AND resolution = '1d'
            ORDER BY "timestamp" DESC
            LIMIT 10
        ) AS last
        WHERE NOT tickers.is_index
        GROUP BY last.day
    )
    SELECT session_date
    FROM trading_sessions
    WHERE session_date <= (
        SELECT CAST(max(day) AT TIME ZONE 'UTC' AS date)
        FROM traded
        WHERE 2 * tickers >= before
    )
    ORDER BY session_date DESC
    LIMIT :count
""")


@dataclass(frozen=True)
class BarCounts:
    """What a merge did: bars seen for the first time, bars that got a new version, bars that said nothing new."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "BarCounts") -> "BarCounts":
        return BarCounts(self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged)


@dataclass(frozen=True, slots=True)
class KnownBar:
    """A daily bar in the version that was known at some moment: raw prices, adjusted = raw x `adjustment_factor`."""

    session: date
    version: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    adjustment_factor: float
    dividend: float
    split: float
    source: str
    known_at: datetime


def newest_recording(connection: Connection) -> datetime | None:
    """The latest `recorded_at` of all bars; None without bars."""
    newest: datetime | None = connection.scalar(select(func.max(market_data.c.recorded_at)))
    return newest


def session_bars(connection: Connection, first: date, last: date) -> list[Bar]:
    """All daily bars from `first` to `last`, both included, ordered by session and ticker."""
    rows = connection.execute(_SESSION_BARS, {"first": _midnight(first), "last": _midnight(last)})
    return [Bar(*row) for row in rows]


def days_with_bars(connection: Connection, days: Sequence[date]) -> tuple[date, ...]:
    """Those of some days of which there is any daily bar, in order."""
    return tuple(connection.scalars(_DAYS_WITH_BARS, {"days": list(days)}))


def bar_sources(connection: Connection, first: date) -> dict[str, list[tuple[date, str]]]:
    """For each ticker with bars from `first` on, in order: from which session on they are from which source."""
    changes: dict[str, list[tuple[date, str]]] = {}
    for ticker, session, source in connection.execute(_SOURCE_CHANGES, {"first": _midnight(first)}):
        changes.setdefault(ticker, []).append((session, source))
    return changes


def last_sessions(connection: Connection, count: int) -> list[date]:
    """The last `count` sessions of the exchange, in order, up to the newest with bars of tickers that are no index.

    A day on which less than half as many tickers traded as on the day with bars before it is not taken for the newest.
    """
    return sorted(connection.scalars(_LAST_SESSIONS, {"count": count}))


def known_bars(connection: Connection, ticker: str, known: datetime, count: int) -> list[KnownBar]:
    """The ticker's last `count` daily bars, in order, as they were known at the moment."""
    found = connection.execute(_KNOWN, {"ticker": ticker, "known": known, "count": count})
    return [KnownBar(*row) for row in reversed(found.all())]


def upsert_bars(connection: Connection, frame: "pd.DataFrame", recorded_at: datetime | None = None) -> BarCounts:
    """Merge validated daily bars, in the connection's transaction.

    `frame` has the columns of `riskee.market.frames.BAR_COLUMNS`. A bar that differs from the stored one becomes its
    next version; one that repeats the latest version, or what its own source said last, changes nothing. Factors are
    brought to the viewpoint of the ticker's stored bars first, so that the ratios across sources stay true.
    A correction counts as known from `recorded_at` on, which is the moment of the merge where it is not given.
    """
    if frame.empty:
        return BarCounts()
    bounds = {
        "first": frame["session"].min().tz_localize(UTC).to_pydatetime(),
        "last": frame["session"].max().tz_localize(UTC).to_pydatetime(),
    }
    ensure_partitions(connection, _SERIES, bounds["first"], bounds["last"])
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for statement in STAGE:
        connection.execute(text(statement))
    _copy(connection, frame)
    connection.execute(text(NAME_TICKERS))
    for statement in STORED:
        connection.execute(text(statement), bounds)
    connection.execute(text(LINK))
    new, changed = connection.execute(text(MERGE), {"recorded_at": recorded_at}).one()
    return BarCounts(new, changed, len(frame) - new - changed)


def overruled_bars(connection: Connection, asked: Collection[tuple[str, date]]) -> set[tuple[str, date]]:
    """Of the asked tickers and sessions those that `upsert_bars` left with another source's bar, unlike the given one.

    To be called in the transaction of the merge, after it.
    """
    keys = {"tickers": [ticker for ticker, _ in asked], "sessions": [session for _, session in asked]}
    return {(ticker, session) for ticker, session in connection.execute(text(OVERRULED), keys)}


def _copy(connection: Connection, frame: "pd.DataFrame") -> None:
    columns = [
        frame["ticker"].to_list(),
        _datetimes(frame["session"].dt.tz_localize(UTC)),
        *(
            frame[name].to_list()
            for name in ("open", "high", "low", "close", "volume", "adjustment_factor", "dividend", "split")
        ),
        frame["source"].to_list(),
        _datetimes(frame["known_at"]),
    ]
    driver = driver_of(connection)
    with driver.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(COPY_TYPES)
        for row in zip(*columns, strict=True):
            copy.write_row(row)


def _datetimes(column: "pd.Series[pd.Timestamp]") -> list[datetime]:
    """Python's datetimes; a session's is made once, for it stands in the rows of hundreds of tickers."""
    codes, unique = column.factorize()
    made = [moment.to_pydatetime() for moment in unique]
    return [made[code] for code in codes]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
