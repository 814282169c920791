"""Removing what was imported: the documents of a source and their vectors."""

from sqlalchemy import Engine

from riskee.documents.document import Collection
from riskee.errors import NotFoundError
from riskee.storage.database import database_errors
from riskee.storage.documents import delete_imported
from riskee.storage.vectors import Vectors


def remove_source(engine: Engine, vectors: Vectors, source: str) -> dict[Collection, int]:
    """Remove the documents that were imported under this name, with their points; count them by collection.

    Documents derived from stored data stay, whatever their source. The rows go only when their points are gone, so
    that an interrupted removal can be done again. Raises NotFoundError where nothing has that source, RetryableError
    when the database or the vector server does not answer.
    """
    with database_errors(), engine.begin() as connection:
        gone = delete_imported(connection, source)
        if not gone:
            raise NotFoundError(f"no document was imported as {source!r}", "`riskee documents show` lists the sources")
        for collection, document_ids in gone.items():
            if vectors.exists(collection):
                vectors.delete(collection, document_ids)
    return {collection: len(document_ids) for collection, document_ids in gone.items()}
