"""Quotes, what was predicted of them, and what became of it."""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Date, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from riskee.storage.tables.columns import TIME, metadata, number_column, text_column, time_column

quotes = Table(
    "quotes",
    metadata,
    Column("quote_id", Uuid, primary_key=True),
    time_column("received_at", primary_key=True),
    text_column("feed"),
    text_column("ticker"),
    time_column("data_time"),
    Column("session_date", Date, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    number_column("price"),
    number_column("open"),
    number_column("high"),
    number_column("low"),
    number_column("volume"),
    number_column("adjustment_factor"),
    Column("final", Boolean, nullable=False),
    Index(None, "ticker", "received_at"),
)

predictions = Table(
    "predictions",
    metadata,
    Column("prediction_id", Uuid, primary_key=True),
    time_column("prediction_time", primary_key=True),
    Column("quote_id", Uuid, nullable=False),
    text_column("ticker"),
    text_column("feed"),
    time_column("data_time"),
    time_column("as_of"),
    Column("session_date", Date, nullable=False),
    text_column("horizon"),
    text_column("model_type"),
    text_column("model_version"),
    text_column("feature_set"),
    number_column("price"),
    number_column("expected_return"),
    number_column("predicted_price"),
    number_column("p_up"),
    number_column("confidence"),
    number_column("price_p10"),
    number_column("price_p50"),
    number_column("price_p90"),
    Column("flags", ARRAY(Text), nullable=False),
    Column("bars_as_of", TIME, nullable=True),  # the newest market_data.recorded_at that its state knew
    Column("market_quote_id", Uuid, nullable=True),
    Index(None, "ticker", "prediction_time"),
)

explanations = Table(
    "explanations",
    metadata,
    Column("explanation_id", Uuid, primary_key=True),
    Column("prediction_id", Uuid, nullable=False, index=True),
    text_column("ticker"),
    time_column("data_time"),
    time_column("created_at"),
    text_column("text"),
    Column("drivers", JSONB, nullable=False),
    Column("sources", JSONB, nullable=False),
    text_column("generator"),
    Column("verified", Boolean, nullable=False),
    text_column("llm"),
    text_column("prompt_version"),
    number_column("seconds"),
    text_column("occasion"),  # somebody asked, or the move was material
    text_column("facts_sha256"),
    Column("record", JSONB, nullable=True),
    Column("dropped", JSONB, nullable=False),  # sentences that were refused, by reason
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("fallback", Text, nullable=True),  # why the template speaks
    Index(None, "ticker", "created_at"),
)

track_record = Table(
    "track_record",
    metadata,
    # Append-only: a trigger refuses changes. Each row's digest covers the row and the digest before it.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("prediction_id", Uuid, nullable=False, unique=True),
    text_column("ticker"),
    text_column("model_type"),
    text_column("model_version"),
    text_column("feed"),
    time_column("data_time"),
    Column("session_date", Date, nullable=False),
    Column("outcome_session", Date, nullable=False),
    number_column("expected_return"),
    number_column("p_up"),
    number_column("interval_low"),  # log returns: the bounds of the 80 % interval
    number_column("interval_high"),
    number_column("realised_return"),  # log return from the prediction's price to the outcome session's close
    time_column("scored_at"),
    text_column("previous_sha256"),
    text_column("sha256"),
    Index(None, "ticker", "session_date"),
    Index(None, "model_version", "session_date"),
    # Of a session that the replay plays again, the first prediction of a model counts.
    Index("track_record_once_key", "ticker", "data_time", "model_version", unique=True),
)

scoring_progress = Table(
    "scoring_progress",
    metadata,
    text_column("name", primary_key=True),
    time_column("through"),  # every prediction of it made before this moment is scored or never will be
    time_column("updated_at"),
)
