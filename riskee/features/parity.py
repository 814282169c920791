"""Whether the SQL feature table and the live kernel say the same, over the whole history. Offline only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Connection, text

from riskee.features.definitions import EARNINGS_FEATURES, FEATURES, NORMAL_FEATURES
from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.market.bars import BarMatrix, Dates, Floats
from riskee.storage.calendar import reports
from riskee.storage.columns import read_columns

RELATIVE = 1e-9
# A value below this is judged as if it had this size: its own is what cancellation left of larger ones.
FLOOR = 1e-3
_KEPT_MISMATCHES = 20

_BARS = sql.SQL("""
WITH numbered AS (SELECT ticker, row_number() OVER (ORDER BY ticker COLLATE "C") - 1 AS number FROM tickers)
SELECT number, session_date - DATE '1970-01-01', open, high, low, close, volume, adjustment_factor
FROM bars
INNER JOIN numbered USING (ticker)
WHERE resolution = '1d'
ORDER BY session_date, number
""")
_TABLE = sql.SQL("""
WITH numbered AS (SELECT ticker, row_number() OVER (ORDER BY ticker COLLATE "C") - 1 AS number FROM tickers)
SELECT number, session_date - DATE '1970-01-01', {}
FROM features_daily
INNER JOIN numbered USING (ticker)
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

    rows: int
    values: int
    mismatches: int
    worst: float
    worst_feature: str
    # Bars without a row in the table, and rows without a bar.
    missing_rows: int
    surplus_rows: int
    examples: tuple[Mismatch, ...]

    @property
    def agrees(self) -> bool:
        return not (self.mismatches or self.missing_rows or self.surplus_rows)


def compare(connection: Connection, market_ticker: str, window_sessions: int = 5) -> ParityReport:
    """Feed every bar of the database to the kernel, session by session, and compare with `features_daily`.

    `window_sessions` does not change a feature; it is what the live state is built with.
    """
    tickers = tuple(connection.scalars(text('SELECT ticker FROM tickers ORDER BY ticker COLLATE "C"')))
    bars = read_columns(connection, _BARS, 8)
    state = FeatureState(_no_bars(tickers), market_ticker)
    days = connection.scalars(text("SELECT session_date FROM trading_sessions ORDER BY session_date")).all()
    sessions: Dates = np.array(days, "datetime64[D]")
    earnings = EarningsFeatures(reports(connection), sessions, state, window_sessions)
    kernel = _replayed(bars, state, earnings)
    table = _table_rows(connection)
    return _report(tickers, bars, kernel, table)


def _no_bars(tickers: tuple[str, ...]) -> BarMatrix:
    shape = (len(tickers), 0)
    numbers = np.empty(shape)
    return BarMatrix(tickers, np.empty(shape, "datetime64[D]"), *(numbers for _ in range(6)))


def _replayed(bars: Floats, state: FeatureState, earnings: EarningsFeatures) -> Floats:
    """The kernel's features (rows, 23) of each bar at its close."""
    out = np.empty((len(bars), len(FEATURES)))
    edges = np.flatnonzero(np.diff(bars[:, 1], prepend=-np.inf))
    for rows in np.split(np.arange(len(bars)), edges[1:]) if len(bars) else []:
        index, session = bars[rows, 0].astype(np.int64), bars[rows[0], 1].astype("datetime64[D]")
        state.update(index, session, *(bars[rows, column] for column in range(2, 8)))
        out[rows, : len(NORMAL_FEATURES)] = state.features(index)
        out[rows, len(NORMAL_FEATURES) :] = earnings.features(index, session)
    return out


def _table_rows(connection: Connection) -> Floats:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in EARNINGS_FEATURES)
    return read_columns(connection, _TABLE.format(names), 2 + len(EARNINGS_FEATURES))


def _keys(rows: Floats) -> NDArray[np.int64]:
    return np.asarray(rows[:, 1].astype(np.int64) * 1_000_000 + rows[:, 0].astype(np.int64), np.int64)


def _report(tickers: tuple[str, ...], bars: Floats, kernel: Floats, table: Floats) -> ParityReport:
    _, ours, theirs = np.intersect1d(_keys(bars), _keys(table), assume_unique=True, return_indices=True)
    left, right = table[theirs, 2:], kernel[ours]
    both = ~np.isnan(left) & ~np.isnan(right)
    size = np.maximum(np.maximum(np.abs(left), np.abs(right)), FLOOR)
    relative = np.where(both, np.abs(left - right) / size, 0.0)
    wrong = (relative > RELATIVE) | (np.isnan(left) != np.isnan(right))
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
