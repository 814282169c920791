"""Every table, declared once (SQLAlchemy Core). The migrations create exactly these; a test compares.

Times are `timestamptz` in UTC. Prices and returns are double precision. A table with an entry in `TIME_SERIES` is a
hypertable where TimescaleDB is there, and natively partitioned where it is not; its key holds the time column.
"""

from riskee.storage.tables.access import api_keys
from riskee.storage.tables.bookkeeping import (
    data_findings,
    data_imports,
    feed_state,
    quarantine,
    sql_model_changes,
    sql_model_state,
)
from riskee.storage.tables.columns import metadata
from riskee.storage.tables.live import explanations, predictions, quotes, scoring_progress, track_record
from riskee.storage.tables.market import (
    earnings_calendar,
    features_daily,
    index_membership,
    macro_series,
    market_data,
    tickers,
    trading_sessions,
)
from riskee.storage.tables.models import model_events, model_metadata
from riskee.storage.tables.texts import documents
from riskee.storage.tables.time_series import TIME_SERIES, TimeSeries

__all__ = [
    "TIME_SERIES",
    "TimeSeries",
    "api_keys",
    "data_findings",
    "data_imports",
    "documents",
    "earnings_calendar",
    "explanations",
    "features_daily",
    "feed_state",
    "index_membership",
    "macro_series",
    "market_data",
    "metadata",
    "model_events",
    "model_metadata",
    "predictions",
    "quarantine",
    "quotes",
    "scoring_progress",
    "sql_model_changes",
    "sql_model_state",
    "tickers",
    "track_record",
    "trading_sessions",
]
