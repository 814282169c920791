"""What a model is trained on: features of past sessions and the returns that followed. Offline only."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Connection, text

from riskee.features.definitions import LONGEST_GAP_DAYS, SCALE_FEATURE, features_of
from riskee.market.bars import Dates, Floats
from riskee.messaging.messages import ModelType
from riskee.storage.columns import read_columns
from riskee.storage.findings import Kind

# RiskMetrics' decay for daily data.
_EWMA_ALPHA = 0.06
# The market's trend is its move over a quarter.
TREND_SESSIONS = 60
_UNLEARNABLE = (Kind.SUSPICIOUS_SPLIT, Kind.SUSPICIOUS_FACTOR)

_ROWS = sql.SQL("""
WITH moves AS (
    SELECT
        ticker,
        session_date,
        lead(session_date) OVER later AS next_session,
        ln(lead(close * adjustment_factor) OVER later / (close * adjustment_factor)) AS outcome
    FROM bars
    WHERE resolution = '1d'
    WINDOW later AS (PARTITION BY ticker ORDER BY session_date)
),
sessions AS (
    SELECT
        session_date,
        lead(session_date) OVER (ORDER BY session_date) AS next_session,
        row_number() OVER (ORDER BY session_date) AS place
    FROM trading_sessions
),
market AS (
    SELECT
        session_date,
        CASE WHEN count(avg(market_return_1d)) OVER quarter = {trend} THEN sum(avg(market_return_1d)) OVER quarter END
            AS market_trend
    FROM features_daily
    GROUP BY session_date
    WINDOW quarter AS (ORDER BY session_date ROWS BETWEEN {trend} - 1 PRECEDING AND CURRENT ROW)
),
marked AS (
    SELECT
        *,
        CAST(session_date - lag(session_date) OVER (PARTITION BY ticker ORDER BY session_date) > {gap} AS integer)
            AS begins
    FROM features_daily
),
parted AS (
    SELECT *, coalesce(sum(begins) OVER (PARTITION BY ticker ORDER BY session_date), 0) AS history FROM marked
),
-- Like the features, the volatility begins anew after a gap.
known AS (
    SELECT
        *,
        sqrt(riskee_ema(return_1d * return_1d, {alpha}) OVER (PARTITION BY ticker, history ORDER BY session_date))
            AS ewma
    FROM parted
),
-- A return over such a session is the error of a split or of a factor.
doubted AS (SELECT ticker, session_date FROM data_findings WHERE kind = ANY({doubtful})),
numbered AS (
    SELECT ticker, row_number() OVER (ORDER BY ticker COLLATE "C") - 1 AS number FROM tickers WHERE NOT is_index
)
SELECT {columns}
FROM known
INNER JOIN moves USING (ticker, session_date)
-- Only where the next bar is that of the next session.
INNER JOIN sessions USING (session_date, next_session)
INNER JOIN numbered USING (ticker)
INNER JOIN market USING (session_date)
WHERE next_session < {before} AND {scale} > 0 AND {learnt}
ORDER BY session_date, number
""")
_FIXED = (
    "number",
    "session_date - DATE '1970-01-01'",
    "next_session - DATE '1970-01-01'",
    "outcome",
    "ewma",
    "place",
    "market_trend",
    "CAST((ticker, session_date) IN (SELECT * FROM doubted) OR (ticker, next_session) IN (SELECT * FROM doubted)"
    " AS integer)",
)
_ROW_FIELDS = (
    "ticker",
    "session",
    "outcome_session",
    "features",
    "outcome",
    "ewma_volatility",
    "place",
    "market_trend",
)


@dataclass(frozen=True)
class TrainingSet:
    """Rows ordered by session, then ticker. `outcome` is the log return from the session's close to the next one's."""

    model_type: ModelType
    tickers: tuple[str, ...]
    ticker: NDArray[np.int64]
    session: Dates
    outcome_session: Dates
    features: Floats
    outcome: Floats
    # An exponentially weighted volatility, for the baseline's interval.
    ewma_volatility: Floats
    # The session's number among all of the exchange's, whether or not it has rows here.
    place: NDArray[np.int64]
    # The market's log return over TREND_SESSIONS to the session's close, NaN where it is unknown.
    market_trend: Floats
    # How many rows were left out, since a split or a factor at one of their two sessions is suspicious.
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.outcome)

    def at(self, rows: NDArray[np.bool_]) -> "TrainingSet":
        """Some of the rows."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ROW_FIELDS})

    @property
    def scale(self) -> Floats:
        """The volatility by which outcomes are divided."""
        return self.features[:, features_of(self.model_type).index(SCALE_FEATURE)]

    @cached_property
    def sha256(self) -> str:
        """Digest of everything the training looks at."""
        digest = hashlib.sha256("\x1f".join((self.model_type, *self.tickers)).encode())
        for name in _ROW_FIELDS:
            array = getattr(self, name)
            whole = array.astype(np.int64) if array.dtype.kind == "M" else array
            digest.update(np.ascontiguousarray(whole).tobytes())
        return digest.hexdigest()


def learnt_rows(model_type: ModelType, window_sessions: int) -> sql.Composable:
    """The condition on rows of `features_daily` that a model type learns from: all, or those near a report."""
    if model_type == "normal":
        return sql.SQL("true")
    near = sql.SQL("least(sessions_to_earnings, sessions_since_earnings) <= {}")
    return near.format(sql.Literal(window_sessions))


@contextmanager
def _joining_by_hash(connection: Connection) -> Iterator[None]:
    """Let PostgreSQL join by nothing but hashes.

    It expects a thousandth of the rows, for dates and tickers seem unrelated to it, and would compare each bar of a
    ticker with each of its features: minutes for ten years of 446 tickers.
    """
    former = {name: connection.scalar(text(f"SHOW {name}")) for name in ("enable_mergejoin", "enable_nestloop")}
    change = text("SELECT set_config(:name, :value, true)")
    for name in former:
        connection.execute(change, {"name": name, "value": "off"})
    yield
    for name, value in former.items():
        connection.execute(change, {"name": name, "value": value})


def read_training_set(
    connection: Connection, model_type: ModelType, before: date, window_sessions: int = 5
) -> TrainingSet:
    """All rows whose outcome was known before `before`; indices are left out, cold volatilities too, and rows whose
    next session has no bar, or one of whose two sessions has a suspicious split or factor.

    For `earnings` only the rows within `window_sessions` of a report.
    """
    names = features_of(model_type)
    columns = [sql.SQL(column) for column in _FIXED] + [sql.Identifier(name) for name in names]
    query = _ROWS.format(
        alpha=sql.Literal(_EWMA_ALPHA),
        gap=sql.Literal(LONGEST_GAP_DAYS),
        trend=sql.Literal(TREND_SESSIONS),
        columns=sql.SQL(", ").join(columns),
        before=sql.Literal(before),
        scale=sql.Identifier(SCALE_FEATURE),
        learnt=learnt_rows(model_type, window_sessions),
        doubtful=sql.Literal([kind.value for kind in _UNLEARNABLE]),
    )
    with _joining_by_hash(connection):
        found = read_columns(connection, query, len(columns))
    doubted = found[:, len(_FIXED) - 1] != 0
    values = found[~doubted]
    ticker, session, following = (values[:, column].astype(np.int64) for column in range(3))
    tickers = connection.exec_driver_sql('SELECT ticker FROM tickers WHERE NOT is_index ORDER BY ticker COLLATE "C"')
    return TrainingSet(
        model_type,
        tuple(tickers.scalars()),
        ticker,
        session.astype("datetime64[D]"),
        following.astype("datetime64[D]"),
        np.ascontiguousarray(values[:, len(_FIXED) :]),
        np.ascontiguousarray(values[:, 3]),
        np.ascontiguousarray(values[:, 4]),
        values[:, 5].astype(np.int64),
        np.ascontiguousarray(values[:, 6]),
        int(doubted.sum()),
    )
