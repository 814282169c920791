"""Who may call the API."""

from sqlalchemy import ARRAY, Column, LargeBinary, Table, Text

from riskee.storage.tables.columns import TIME, metadata, text_column, time_column

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    text_column("name"),
    # HMAC-SHA-256 of the secret, which is nowhere.
    Column("digest", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    time_column("created_at"),
    Column("expires_at", TIME, nullable=True),
    Column("revoked_at", TIME, nullable=True),
    # To within a minute.
    Column("last_used_at", TIME, nullable=True),
)
