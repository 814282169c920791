"""Trained models, and what was decided about them."""

from sqlalchemy import Column, Date, Index, Integer, LargeBinary, Table, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from riskee.storage.tables.columns import metadata, text_column, time_column

model_metadata = Table(
    "model_metadata",
    metadata,
    text_column("model_version", primary_key=True),
    text_column("model_type"),
    text_column("alias", nullable=True),  # champion, challenger or none
    Column("artifact", LargeBinary, nullable=False),
    text_column("artifact_sha256"),
    text_column("feature_set"),
    text_column("horizon"),
    Column("trained_from", Date, nullable=False),
    Column("trained_through", Date, nullable=False),
    Column("training_rows", Integer, nullable=False),
    Column("trials", Integer, nullable=False, server_default=text("1")),  # models of its type tried so far
    text_column("data_sha256"),
    text_column("code_version"),
    Column("parameters", JSONB, nullable=False),
    Column("metrics", JSONB, nullable=False),
    Column("baselines", JSONB, nullable=False),
    Column("evaluation", JSONB, nullable=False, server_default=text("'{}'")),  # by regime, ticker, time; holdout
    text_column("decision"),  # promoted, refused
    text_column("reason"),
    text_column("run_id", nullable=True),  # the Dagster run that made it
    time_column("created_at"),
    Index("model_metadata_champion_key", "model_type", unique=True, postgresql_where=text("alias = 'champion'")),
)

model_events = Table(
    "model_events",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    time_column("at"),
    text_column("model_type"),
    text_column("model_version"),
    text_column("action"),  # registered, promoted, refused, rolled_back
    text_column("reason"),
    text_column("former_champion", nullable=True),
    text_column("run_id", nullable=True),
    Index(None, "model_type", "at"),
)
