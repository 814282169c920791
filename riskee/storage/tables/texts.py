"""Texts that explanations cite."""

from sqlalchemy import Column, Index, Table, Uuid

from riskee.storage.tables.columns import metadata, text_column, time_column

documents = Table(
    "documents",
    metadata,
    Column("document_id", Uuid, primary_key=True),
    text_column("collection"),
    text_column("ticker", nullable=True),  # none: it concerns the whole market
    text_column("title"),
    text_column("body"),
    text_column("source"),
    time_column("published_at"),
    time_column("known_at"),
    text_column("url", nullable=True),
    Column("parent_id", Uuid, nullable=True, index=True),  # the imported text it is a passage of; none: derived
    text_column("content_sha256"),
    Index(None, "collection", "known_at"),
)
