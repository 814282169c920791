"""Whether the SQL feature table and the live kernel say the same, over the whole history. Offline only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Connection, Engine, text

from riskee.features.definitions import EARNINGS_FEATURES, FEATURES, NORMAL_FEATURES, WARM_UP_BARS
from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.market.bars import BarMatrix, Floats
from riskee.storage.calendar import reports
from riskee.storage.columns import read_columns
from riskee.storage.database import database_errors, read_one_moment
from riskee.storage.recent_bars import known_tickers, recent_bars

RELATIVE = 1e-9
# A value below this is judged as if it had this size: its own is what cancellation left of larger ones.
FLOOR = 1e-3
_KEPT_MISMATCHES = 20
# So many days are read and compared at a time: what the memory holds does not grow with the history.
_STEP = timedelta(days=180)

Progress = Callable[[int, int], None]
"""Called with the days compared so far and the days to compare in all."""

_EXTENT = text("""
SELECT min(first), max(last)
FROM (
    SELECT CAST(min("timestamp") AT TIME ZONE 'UTC' AS date), CAST(max("timestamp") AT TIME ZONE 'UTC' AS date)
    FROM market_data WHERE resolution = '1d'
    UNION ALL
    SELECT min(session_date), max(session_date) FROM features_daily
) AS extent (first, last)
""")
_BARS = sql.SQL("""
WITH numbered AS (SELECT ticker, row_number() OVER (ORDER BY ticker COLLATE "C") - 1 AS number FROM tickers)
SELECT number, session_date - DATE '1970-01-01', open, high, low, close, volume, adjustment_factor
FROM bars
INNER JOIN numbered USING (ticker)
WHERE resolution = '1d' AND "timestamp" >= {first} AND "timestamp" < {end}
ORDER BY session_date, number
""")
_TABLE = sql.SQL("""
WITH numbered AS (SELECT ticker, row_number() OVER (ORDER BY ticker COLLATE "C") - 1 AS number FROM tickers)
SELECT number, session_date - DATE '1970-01-01', {names}
FROM features_daily
INNER JOIN numbered USING (ticker)
WHERE session_date >= {first} AND session_date < {end}
ORDER BY session_date, number
""")


@dataclass(frozen=True)
class Mismatch:
    """One value on which both sides differ; NaN stands for a missing value."""

    ticker: str
    session: str
    feature: str
    table: float
    kernel: float


@dataclass(frozen=True)
class ParityReport:
    """What was compared. `worst` is the largest relative difference of two values, agreeing or not."""

    rows: int = 0
    values: int = 0
    mismatches: int = 0
    worst: float = 0.0
    worst_feature: str = ""
    # Bars without a row in the table, and rows without a bar.
    missing_rows: int = 0
    surplus_rows: int = 0
    examples: tuple[Mismatch, ...] = ()

    @property
    def agrees(self) -> bool:
        return not (self.mismatches or self.missing_rows or self.surplus_rows)

    def __add__(self, other: "ParityReport") -> "ParityReport":
        worse = other if other.worst > self.worst else self
        return ParityReport(
            self.rows + other.rows,
            self.values + other.values,
            self.mismatches + other.mismatches,
            worse.worst,
            worse.worst_feature,
            self.missing_rows + other.missing_rows,
            self.surplus_rows + other.surplus_rows,
            (self.examples + other.examples)[:_KEPT_MISMATCHES],
        )


@dataclass(frozen=True)
class Kernel:
    """The live state of all tickers of the database, and where they stand between their reports."""

    state: FeatureState
    earnings: EarningsFeatures

    @classmethod
    def before(cls, connection: Connection, session: date | None, market_ticker: str) -> "Kernel":
        """As the predict service builds it before a session; None: from nothing."""
        if session is None:
            bars = BarMatrix.empty(known_tickers(connection))
        else:
            bars = recent_bars(connection, session, WARM_UP_BARS)
        state = FeatureState(bars, market_ticker)
        days = connection.scalars(text("SELECT session_date FROM trading_sessions ORDER BY session_date")).all()
        return cls(state, EarningsFeatures(reports(connection), np.array(days, "datetime64[D]"), state))

    def replay(self, bars: Floats) -> Floats:
        """The features (rows, all) of each bar at its close; the bars (rows, 8) go on from those seen before."""
        out = np.empty((len(bars), len(FEATURES)))
        edges = np.flatnonzero(np.diff(bars[:, 1], prepend=-np.inf))
        for rows in np.split(np.arange(len(bars)), edges[1:]) if len(bars) else []:
            index, session = bars[rows, 0].astype(np.int64), bars[rows[0], 1].astype("datetime64[D]")
            self.state.update(index, session, *(bars[rows, column] for column in range(2, 8)))
            out[rows, : len(NORMAL_FEATURES)] = self.state.features(index)
            out[rows, len(NORMAL_FEATURES) :] = self.earnings.features(index, session)
        return out


def compare_stored(
    engine: Engine,
    market_ticker: str,
    *,
    since: date | None = None,
    until: date | None = None,
    progress: Progress | None = None,
) -> ParityReport:
    """`compare`, with all that it reads as it was at one moment: a run that ends meanwhile is no mismatch.

    Raises RetryableError when the database does not answer.
    """
    with database_errors(), engine.begin() as connection:
        read_one_moment(connection)
        return compare(connection, market_ticker, since=since, until=until, progress=progress)


def compare(
    connection: Connection,
    market_ticker: str,
    *,
    since: date | None = None,
    until: date | None = None,
    progress: Progress | None = None,
) -> ParityReport:
    """Feed the database's bars to the kernel, session by session, and compare with `features_daily`.

    Of the sessions from `since` to `until`, both included. Without `since` the kernel begins with nothing; with it,
    with the bars before, as the predict service does.
    """
    kernel = Kernel.before(connection, since, market_ticker)
    first, last = connection.execute(_EXTENT).one()
    report = ParityReport()
    if first is None:
        return report
    first, end = max(first, since or first), min(last, until or last) + timedelta(days=1)
    for begin, stop in _steps(first, end):
        bars = read_bars(connection, begin, stop)
        table = _table_rows(connection, begin, stop)
        report += _report(kernel.state.tickers, bars, kernel.replay(bars), table)
        if progress is not None:
            progress((stop - first).days, (end - first).days)
    return report


def _steps(first: date, end: date) -> Iterator[tuple[date, date]]:
    while first < end:
        stop = min(first + _STEP, end)
        yield first, stop
        first = stop


def read_bars(connection: Connection, first: date, end: date) -> Floats:
    """The daily bars from a day to before another, as `Kernel.replay` takes them: (rows, 8), by session and ticker."""
    begin, stop = (sql.Literal(datetime.combine(day, time(), UTC)) for day in (first, end))
    return read_columns(connection, _BARS.format(first=begin, end=stop), 8)


def _table_rows(connection: Connection, first: date, end: date) -> Floats:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in EARNINGS_FEATURES)
    query = _TABLE.format(names=names, first=sql.Literal(first), end=sql.Literal(end))
    return read_columns(connection, query, 2 + len(EARNINGS_FEATURES))


def _keys(rows: Floats) -> NDArray[np.int64]:
    return np.asarray(rows[:, 1].astype(np.int64) * 1_000_000 + rows[:, 0].astype(np.int64), np.int64)


def _relative(left: Floats, right: Floats) -> Floats:
    """How far two values are apart, as a share of the larger: 0 where they are equal or one is missing, infinite where
    they differ and one of them is."""
    size = np.maximum(np.maximum(np.abs(left), np.abs(right)), FLOOR)
    with np.errstate(invalid="ignore"):
        apart = np.where(np.isinf(size), np.inf, np.abs(left - right) / size)
    return np.where((left == right) | np.isnan(size), 0.0, apart)


def _report(tickers: tuple[str, ...], bars: Floats, kernel: Floats, table: Floats) -> ParityReport:
    _, ours, theirs = np.intersect1d(_keys(bars), _keys(table), assume_unique=True, return_indices=True)
    left, right = table[theirs, 2:], kernel[ours]
    both = ~np.isnan(left) & ~np.isnan(right)
    relative = _relative(left, right)
    wrong = np.where(both, relative > RELATIVE, np.isnan(left) != np.isnan(right))
    place = np.unravel_index(int(relative.argmax()), relative.shape) if relative.size else (0, 0)
    examples = tuple(
        Mismatch(
            tickers[int(bars[ours[row], 0])],
            str(bars[ours[row], 1].astype("datetime64[D]")),
            FEATURES[column].name,
            float(left[row, column]),
            float(right[row, column]),
        )
        for row, column in np.argwhere(wrong)[:_KEPT_MISMATCHES]
    )
    return ParityReport(
        rows=len(ours),
        values=wrong.size,
        mismatches=int(wrong.sum()),
        worst=float(relative.max(initial=0.0)),
        worst_feature=FEATURES[int(place[1])].name,
        missing_rows=len(bars) - len(ours),
        surplus_rows=len(table) - len(theirs),
        examples=examples,
    )
