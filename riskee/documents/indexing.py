"""Bring a collection of vectors in line with its documents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riskee.documents.document import Collection, Document
from riskee.embedding import Embedder
from riskee.storage.vectors import Vectors, content_stamp

_BATCH = 256


@dataclass(frozen=True)
class IndexCounts:
    """What an indexing did, in documents."""

    embedded: int
    unchanged: int
    removed: int


def index_documents(
    collection: Collection,
    documents: Sequence[Document],
    embedder: Embedder,
    vectors: Vectors,
    progress: Callable[[int, int], None],
) -> IndexCounts:
    """Embed the documents that are new or changed, remove the points whose document is gone.

    `progress` is called with documents embedded so far and in all. Stopped half-way, the next call goes on from there.
    """
    vectors.ensure_collections(embedder.dimensions, [collection])
    stored = vectors.stamps(collection)
    wanted = {document.document_id for document in documents}
    changed = [d for d in documents if stored.get(d.document_id) != content_stamp(d, embedder.name)]
    for start in range(0, len(changed), _BATCH):
        batch = changed[start : start + _BATCH]
        vectors.upsert(batch, embedder.encode([document.text for document in batch]), embedder.name)
        progress(start + len(batch), len(changed))
    gone = [document_id for document_id in stored if document_id not in wanted]
    vectors.delete(collection, gone)
    return IndexCounts(len(changed), len(documents) - len(changed), len(gone))
