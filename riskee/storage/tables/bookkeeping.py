"""What was imported, refused and found, and how far whoever works by increments has come."""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from riskee.storage.tables.columns import metadata, text_column, time_column

data_imports = Table(
    "data_imports",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    text_column("source"),
    text_column("file_name"),
    text_column("content_sha256"),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_accepted", BigInteger, nullable=False),
    Column("rows_quarantined", BigInteger, nullable=False),
    time_column("imported_at"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", Uuid, primary_key=True),
    time_column("received_at"),
    text_column("origin"),  # a subject, or the name of an imported file
    text_column("reason"),
    text_column("body"),
    Index(None, "origin", "received_at"),
)

data_findings = Table(
    "data_findings",
    metadata,
    Column("finding_id", Uuid, primary_key=True),  # of ticker, session and kind: found again, it stays one
    text_column("ticker"),
    Column("session_date", Date, nullable=False),
    text_column("kind"),  # one of riskee.storage.findings.Kind
    text_column("detail"),
    text_column("source"),
    time_column("found_at"),
    Index(None, "ticker", "session_date"),
)

feed_state = Table(
    "feed_state",
    metadata,
    text_column("feed", primary_key=True),  # what is replayed, or the file that is followed
    Column("pass_number", Integer, nullable=False),
    Column("session_date", Date, nullable=False),  # the last session that was published in full, or told of
    time_column("updated_at"),
    Column("position", JSONB, nullable=True),  # of followed files: how far each was read, and the running bars
)

sql_model_state = Table(
    "sql_model_state",
    metadata,
    text_column("model", primary_key=True),  # an incremental model's relation
    text_column("sha256"),  # of its file, the views below it and its parameters
    Column("seen", JSONB, nullable=False),  # by ticker: how many versions of bars, the newest recorded_at
    time_column("ran_at"),
)

sql_model_changes = Table(
    "sql_model_changes",
    metadata,
    # What has changed upstream since the model's last run, from a day on.
    text_column("model", primary_key=True),
    text_column("slice", primary_key=True),  # a value of the column that the model is split by; empty: of all
    Column("since", Date, nullable=False),
)
