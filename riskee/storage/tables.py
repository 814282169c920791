"""Every table, declared once (SQLAlchemy Core). The migrations create exactly these; a test compares.

Times are `timestamptz` in UTC. Prices and returns are double precision. A table with an entry in `TIME_SERIES` is a
hypertable where TimescaleDB is there, and natively partitioned where it is not; its key holds the time column.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from riskee.features.definitions import FEATURES

metadata = MetaData(
    naming_convention={"ix": "%(table_name)s_%(column_0_N_name)s_idx", "pk": "%(table_name)s_pkey"},
)
_TIME = DateTime(timezone=True)


def _time(name: str, *, primary_key: bool = False) -> Column[object]:
    return Column(name, _TIME, nullable=False, primary_key=primary_key)


def _number(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Double, nullable=nullable)


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, primary_key=primary_key)


tickers = Table(
    "tickers",
    metadata,
    _text("ticker", primary_key=True),
    _text("name"),
    Column("is_index", Boolean, nullable=False, server_default=text("false")),
    _text("source"),
    _text("sector", nullable=True),
)

trading_sessions = Table(
    "trading_sessions",
    metadata,
    Column("session_date", Date, primary_key=True),
    _time("opens_at"),
    _time("closes_at"),
)

market_data = Table(
    "market_data",
    metadata,
    _text("ticker", primary_key=True),
    _text("resolution", primary_key=True),  # 1d, 1m
    _time("timestamp", primary_key=True),  # the bar's session date at 00:00 UTC for 1d, its start otherwise
    Column("version", SmallInteger, primary_key=True, server_default=text("1")),  # a corrected bar is a new version
    _number("open"),
    _number("high"),
    _number("low"),
    _number("close"),
    _number("volume"),
    _number("adjustment_factor"),  # the vendor's cumulative total-return factor: adjusted = raw x factor
    _number("dividend"),
    _number("split"),
    _text("source"),
    _time("known_at"),
    # When this version was stored: what has changed since a moment is what came later.
    Column("recorded_at", _TIME, nullable=False, server_default=text("now()")),
    Index(None, "recorded_at"),
)

quotes = Table(
    "quotes",
    metadata,
    Column("quote_id", Uuid, primary_key=True),
    _time("received_at", primary_key=True),
    _text("feed"),
    _text("ticker"),
    _time("data_time"),
    Column("session_date", Date, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    _number("price"),
    _number("open"),
    _number("high"),
    _number("low"),
    _number("volume"),
    _number("adjustment_factor"),
    Column("final", Boolean, nullable=False),
    Index(None, "ticker", "received_at"),
)

predictions = Table(
    "predictions",
    metadata,
    Column("prediction_id", Uuid, primary_key=True),
    _time("prediction_time", primary_key=True),
    Column("quote_id", Uuid, nullable=False),
    _text("ticker"),
    _text("feed"),
    _time("data_time"),
    _time("as_of"),
    Column("session_date", Date, nullable=False),
    _text("horizon"),
    _text("model_type"),
    _text("model_version"),
    _text("feature_set"),
    _number("price"),
    _number("expected_return"),
    _number("predicted_price"),
    _number("p_up"),
    _number("confidence"),
    _number("price_p10"),
    _number("price_p50"),
    _number("price_p90"),
    Column("flags", ARRAY(Text), nullable=False),
    Column("bars_as_of", _TIME, nullable=True),  # the newest market_data.recorded_at that its state knew
    Column("market_quote_id", Uuid, nullable=True),
    Index(None, "ticker", "prediction_time"),
)

explanations = Table(
    "explanations",
    metadata,
    Column("explanation_id", Uuid, primary_key=True),
    Column("prediction_id", Uuid, nullable=False, index=True),
    _text("ticker"),
    _time("data_time"),
    _time("created_at"),
    _text("text"),
    Column("drivers", JSONB, nullable=False),
    Column("sources", JSONB, nullable=False),
    _text("generator"),
    Column("verified", Boolean, nullable=False),
    _text("llm"),
    _text("prompt_version"),
    _number("seconds"),
    Index(None, "ticker", "created_at"),
)

track_record = Table(
    "track_record",
    metadata,
    # Append-only: a trigger refuses changes. Each row's digest covers the row and the digest before it.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("prediction_id", Uuid, nullable=False, unique=True),
    _text("ticker"),
    _text("model_type"),
    _text("model_version"),
    _text("feed"),
    _time("data_time"),
    Column("session_date", Date, nullable=False),
    Column("outcome_session", Date, nullable=False),
    _number("expected_return"),
    _number("p_up"),
    _number("interval_low"),  # log returns: the bounds of the 80 % interval
    _number("interval_high"),
    _number("realised_return"),  # log return from the prediction's price to the outcome session's close
    _time("scored_at"),
    _text("previous_sha256"),
    _text("sha256"),
    Index(None, "ticker", "session_date"),
    Index(None, "model_version", "session_date"),
    # Of a session that the replay plays again, the first prediction of a model counts.
    Index("track_record_once_key", "ticker", "data_time", "model_version", unique=True),
)

scoring_progress = Table(
    "scoring_progress",
    metadata,
    _text("name", primary_key=True),
    _time("through"),  # every prediction made before this moment is scored or never will be
    _time("updated_at"),
)

model_events = Table(
    "model_events",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    _time("at"),
    _text("model_type"),
    _text("model_version"),
    _text("action"),  # registered, promoted, refused, rolled_back
    _text("reason"),
    _text("former_champion", nullable=True),
    _text("run_id", nullable=True),
    Index(None, "model_type", "at"),
)

data_findings = Table(
    "data_findings",
    metadata,
    Column("finding_id", Uuid, primary_key=True),  # of ticker, session and kind: found again, it stays one
    _text("ticker"),
    Column("session_date", Date, nullable=False),
    _text("kind"),  # one of riskee.storage.findings.Kind
    _text("detail"),
    _text("source"),
    _time("found_at"),
    Index(None, "ticker", "session_date"),
)

index_membership = Table(
    "index_membership",
    metadata,
    _text("index_name", primary_key=True),
    _text("ticker", primary_key=True),
    Column("joined", Date, primary_key=True),
    Column("left", Date, nullable=True),
    _text("source"),
)

earnings_calendar = Table(
    "earnings_calendar",
    metadata,
    _text("ticker", primary_key=True),
    Column("report_date", Date, primary_key=True),
    _time("known_at"),
    _number("eps_estimate", nullable=True),
    _number("eps_reported", nullable=True),
    _text("source"),
)

macro_series = Table(
    "macro_series",
    metadata,
    _text("series", primary_key=True),
    Column("period_start", Date, primary_key=True),
    _number("value"),
    _text("unit"),
    _time("known_at"),
    _text("source"),
)

documents = Table(
    "documents",
    metadata,
    Column("document_id", Uuid, primary_key=True),
    _text("collection"),
    _text("ticker", nullable=True),  # none: it concerns the whole market
    _text("title"),
    _text("body"),
    _text("source"),
    _time("published_at"),
    _time("known_at"),
    _text("url", nullable=True),
    Column("parent_id", Uuid, nullable=True, index=True),  # the imported text it is a passage of; none: derived
    _text("content_sha256"),
    Index(None, "collection", "known_at"),
)

features_daily = Table(
    "features_daily",
    metadata,
    _text("ticker", primary_key=True),
    Column("session_date", Date, primary_key=True),
    *(_number(feature.name, nullable=True) for feature in FEATURES),
    Index(None, "session_date"),
)

model_metadata = Table(
    "model_metadata",
    metadata,
    _text("model_version", primary_key=True),
    _text("model_type"),
    _text("alias", nullable=True),  # champion, challenger or none
    Column("artifact", LargeBinary, nullable=False),
    _text("artifact_sha256"),
    _text("feature_set"),
    _text("horizon"),
    Column("trained_from", Date, nullable=False),
    Column("trained_through", Date, nullable=False),
    Column("training_rows", Integer, nullable=False),
    Column("trials", Integer, nullable=False, server_default=text("1")),  # models of its type tried so far
    _text("data_sha256"),
    _text("code_version"),
    Column("parameters", JSONB, nullable=False),
    Column("metrics", JSONB, nullable=False),
    Column("baselines", JSONB, nullable=False),
    Column("evaluation", JSONB, nullable=False, server_default=text("'{}'")),  # by regime, ticker, time; holdout
    _text("decision"),  # promoted, refused
    _text("reason"),
    _text("run_id", nullable=True),  # the Dagster run that made it
    _time("created_at"),
    Index("model_metadata_champion_key", "model_type", unique=True, postgresql_where=text("alias = 'champion'")),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", Uuid, primary_key=True),
    _time("received_at"),
    _text("origin"),  # a subject, or the name of an imported file
    _text("reason"),
    _text("body"),
    Index(None, "origin", "received_at"),
)

data_imports = Table(
    "data_imports",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    _text("source"),
    _text("file_name"),
    _text("content_sha256"),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_accepted", BigInteger, nullable=False),
    Column("rows_quarantined", BigInteger, nullable=False),
    _time("imported_at"),
)

feed_state = Table(
    "feed_state",
    metadata,
    _text("feed", primary_key=True),  # the kind: replay
    Column("pass_number", Integer, nullable=False),
    Column("session_date", Date, nullable=False),  # the last session that was published in full
    _time("updated_at"),
)

sql_model_state = Table(
    "sql_model_state",
    metadata,
    _text("model", primary_key=True),  # an incremental model's relation
    _text("sha256"),  # of its file, the views below it and its parameters
    Column("seen", JSONB, nullable=False),  # by ticker: how many versions of bars, the newest recorded_at
    _time("ran_at"),
)

sql_model_changes = Table(
    "sql_model_changes",
    metadata,
    # What has changed upstream since the model's last run, from a day on.
    _text("model", primary_key=True),
    _text("slice", primary_key=True),  # a value of the column that the model is split by; empty: of all
    Column("since", Date, nullable=False),
)


@dataclass(frozen=True)
class TimeSeries:
    """How a table is cut by time, on every database tier."""

    table: Table
    time_column: str
    chunk: timedelta
    segment_by: str
    # None: kept for ever.
    retain_setting: str | None


TIME_SERIES = (
    TimeSeries(market_data, "timestamp", timedelta(days=365), "ticker", None),
    TimeSeries(quotes, "received_at", timedelta(days=1), "ticker", "predictions_retention_days"),
    TimeSeries(predictions, "prediction_time", timedelta(days=1), "ticker", "predictions_retention_days"),
)
