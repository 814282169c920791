"""What is stored of documents, for the tests of importing, indexing and removing them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select

from riskee import ids
from riskee.clock import FixedClock
from riskee.documents.document import Document
from riskee.documents.importing import TextImport, TextImporter
from riskee.documents.texts import Kind
from riskee.embedding.word_pieces import WordPieces
from riskee.storage.documents import document_stamps
from riskee.storage.tables import documents
from riskee.storage.vectors import Vectors

NOW = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Load:
    """Imports a file of texts."""

    engine: Engine
    pieces: WordPieces

    def __call__(self, path: Path, kind: Kind = "calls", source: str = "test") -> TextImport:
        return TextImporter(self.engine, self.pieces, FixedClock(NOW)).run(path, kind, source)


def stored(engine: Engine) -> list[Document]:
    fields = [documents.c[name] for name in Document.__struct_fields__]
    with engine.connect() as connection:
        rows = connection.execute(select(*fields).order_by(documents.c.title)).mappings()
        return [Document(**row) for row in rows]


def in_step(engine: Engine, vectors: Vectors) -> bool:
    """Whether there is a point for each document, and no other."""
    ids_of_points = [one for one, _ in vectors.stamps("market_news")]
    return ids_of_points == [one for one, _ in document_stamps(engine, "market_news")]


def derived(number: int) -> Document:
    return Document(
        document_id=ids.document_id("market_news", "bars", str(number)),
        collection="market_news",
        ticker="IBM",
        title=f"derived {number}",
        body="From bars.",
        source="bars",
        published_at=NOW,
        known_at=NOW,
    )
