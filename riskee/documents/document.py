"""What a document is, and the collections it can lie in."""

import hashlib
import uuid
from datetime import datetime
from typing import Literal

import msgspec

Collection = Literal["market_news", "earnings_calls", "economic_indicators", "technical_patterns", "prediction_context"]
COLLECTIONS: tuple[Collection, ...] = (
    "market_news",
    "earnings_calls",
    "economic_indicators",
    "technical_patterns",
    "prediction_context",
)


def document_path(document_id: uuid.UUID) -> str:
    """Where the API serves a document."""
    return f"/v1/documents/{document_id}"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One retrievable text. Times are UTC.

    `ticker` is None where it concerns the whole market. `published_at` is when what it tells of happened, `known_at`
    when all of it could be known: nothing before `known_at` may use it. `parent_id` is the imported text that this is
    a passage of; None: it was derived from stored data.
    """

    document_id: uuid.UUID
    collection: Collection
    ticker: str | None
    title: str
    body: str
    source: str
    published_at: datetime
    known_at: datetime
    url: str | None = None
    parent_id: uuid.UUID | None = None

    @property
    def text(self) -> str:
        """What is embedded."""
        return f"{self.title}. {self.body}"

    @property
    def content_sha256(self) -> str:
        """Changes with anything that is stored of the document."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()
