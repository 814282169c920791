"""Bring a collection of vectors in line with its documents.

Both sides are read in the order of their ids and walked side by side, so that neither is ever held whole. What is
done is done batch by batch: stopped anywhere, the next run finds what is left by comparing again.
"""

import heapq
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Literal

from sqlalchemy import Engine

from riskee.documents.document import Collection
from riskee.embedding import Embedder
from riskee.storage.database import database_errors
from riskee.storage.documents import document_stamps, read_documents
from riskee.storage.vectors import Vectors, content_stamp

_BATCH = 256
Difference = Literal["changed", "unchanged", "orphan"]
_Stamps = Iterable[tuple[uuid.UUID, str]]


@dataclass
class IndexCounts:
    """What an indexing did so far: documents embedded and found unchanged, points removed."""

    embedded: int = 0
    unchanged: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Index:
    """The vectors of the documents in a database."""

    engine: Engine
    embedder: Embedder
    vectors: Vectors

    def update(self, collection: Collection, progress: Callable[[IndexCounts], None] = lambda _: None) -> IndexCounts:
        """Embed the documents that are new or changed, remove the points whose document is gone.

        `progress` is called after each batch of work. Raises what the database, the embedder and the vectors raise.
        """
        self.vectors.ensure_collections(self.embedder.dimensions, [collection])
        counts = IndexCounts()
        changed: list[uuid.UUID] = []
        orphans: list[uuid.UUID] = []
        with database_errors():
            for document_id, difference in self._differences(collection):
                if difference == "unchanged":
                    counts.unchanged += 1
                    continue
                (changed if difference == "changed" else orphans).append(document_id)
                if len(changed) + len(orphans) >= _BATCH:
                    self._work(collection, changed, orphans, counts)
                    progress(counts)
            self._work(collection, changed, orphans, counts)
        progress(counts)
        return counts

    def _differences(self, collection: Collection) -> Iterator[tuple[uuid.UUID, Difference]]:
        model = self.embedder.name
        wanted = ((one, content_stamp(sha256, model)) for one, sha256 in document_stamps(self.engine, collection))
        return differences(wanted, self.vectors.stamps(collection))

    def _work(
        self, collection: Collection, changed: list[uuid.UUID], orphans: list[uuid.UUID], counts: IndexCounts
    ) -> None:
        """Embed and remove, and empty both lists."""
        with self.engine.connect() as connection:
            documents = read_documents(connection, changed)
            # A document may have come while this ran, and another process may have embedded it already.
            found = {document.document_id for document in read_documents(connection, orphans)}
        if documents:
            vectors = self.embedder.encode([document.text for document in documents])
            self.vectors.upsert(documents, vectors, self.embedder.name)
        gone = [document_id for document_id in orphans if document_id not in found]
        self.vectors.delete(collection, gone)
        counts.embedded += len(documents)
        counts.removed += len(gone)
        changed.clear()
        orphans.clear()


def differences(documents: _Stamps, points: _Stamps) -> Iterator[tuple[uuid.UUID, Difference]]:
    """What is to be done about each id of either side, both of them (id, stamp) ascending by id."""
    both = heapq.merge(
        ((one, "document", stamp) for one, stamp in documents), ((one, "point", stamp) for one, stamp in points)
    )
    for document_id, found in groupby(both, key=itemgetter(0)):
        stamps = {side: stamp for _, side, stamp in found}
        if "document" not in stamps:
            yield document_id, "orphan"
        else:
            yield document_id, "unchanged" if stamps["document"] == stamps.get("point") else "changed"
