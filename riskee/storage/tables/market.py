"""Instruments, sessions and bars, and what is known beside them."""

from sqlalchemy import Boolean, Column, Date, Index, SmallInteger, Table, text

from riskee.features.definitions import FEATURES
from riskee.storage.tables.columns import TIME, metadata, number_column, text_column, time_column

tickers = Table(
    "tickers",
    metadata,
    text_column("ticker", primary_key=True),
    text_column("name"),
    Column("is_index", Boolean, nullable=False, server_default=text("false")),
    text_column("source"),
    text_column("sector", nullable=True),
)

trading_sessions = Table(
    "trading_sessions",
    metadata,
    Column("session_date", Date, primary_key=True),
    time_column("opens_at"),
    time_column("closes_at"),
)

market_data = Table(
    "market_data",
    metadata,
    text_column("ticker", primary_key=True),
    text_column("resolution", primary_key=True),  # 1d, 1m
    time_column("timestamp", primary_key=True),  # the bar's session date at 00:00 UTC for 1d, its start otherwise
    Column("version", SmallInteger, primary_key=True, server_default=text("1")),  # a corrected bar is a new version
    number_column("open"),
    number_column("high"),
    number_column("low"),
    number_column("close"),
    number_column("volume"),
    number_column("adjustment_factor"),  # the vendor's cumulative total-return factor: adjusted = raw x factor
    number_column("dividend"),
    number_column("split"),
    text_column("source"),
    time_column("known_at"),
    # When this version was stored: what has changed since a moment is what came later.
    Column("recorded_at", TIME, nullable=False, server_default=text("now()")),
    Index(None, "recorded_at"),
)

earnings_calendar = Table(
    "earnings_calendar",
    metadata,
    text_column("ticker", primary_key=True),
    Column("report_date", Date, primary_key=True),
    time_column("known_at"),
    number_column("eps_estimate", nullable=True),
    number_column("eps_reported", nullable=True),
    text_column("source"),
)

macro_series = Table(
    "macro_series",
    metadata,
    text_column("series", primary_key=True),
    Column("period_start", Date, primary_key=True),
    number_column("value"),
    text_column("unit"),
    time_column("known_at"),
    text_column("source"),
)

index_membership = Table(
    "index_membership",
    metadata,
    text_column("index_name", primary_key=True),
    text_column("ticker", primary_key=True),
    Column("joined", Date, primary_key=True),
    Column("left", Date, nullable=True),
    text_column("source"),
)

features_daily = Table(
    "features_daily",
    metadata,
    text_column("ticker", primary_key=True),
    Column("session_date", Date, primary_key=True),
    *(number_column(feature.name, nullable=True) for feature in FEATURES),
    Index(None, "session_date"),
)
