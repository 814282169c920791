"""The table of documents: the truth from which the vectors are made."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from riskee.documents.document import Collection, Document
from riskee.storage.tables import documents as table

_BATCH = 1000
_FIELDS = Document.__struct_fields__


@dataclass(frozen=True)
class DocumentCounts:
    """What a write did, in documents."""

    written: int
    unchanged: int
    removed: int


def replace_documents(connection: Connection, collection: Collection, documents: Sequence[Document]) -> DocumentCounts:
    """Make the table hold exactly these documents of the collection. The caller owns the transaction."""
    stored = {
        row.document_id: row.content_sha256
        for row in connection.execute(
            select(table.c.document_id, table.c.content_sha256).where(table.c.collection == collection)
        )
    }
    wanted = {document.document_id: document for document in documents}
    gone = [document_id for document_id in stored if document_id not in wanted]
    if gone:
        connection.execute(delete(table).where(table.c.document_id.in_(gone)))
    changed = [_row(d) for d in wanted.values() if stored.get(d.document_id) != d.content_sha256]
    statement = insert(table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.document_id],
        set_={column.name: statement.excluded[column.name] for column in table.c if not column.primary_key},
    )
    for start in range(0, len(changed), _BATCH):
        connection.execute(statement, changed[start : start + _BATCH])
    return DocumentCounts(len(changed), len(wanted) - len(changed), len(gone))


def read_documents(connection: Connection, collection: Collection) -> list[Document]:
    """All documents of a collection, oldest knowledge first."""
    rows = connection.execute(
        select(*(table.c[name] for name in _FIELDS))
        .where(table.c.collection == collection)
        .order_by(table.c.known_at, table.c.document_id)
    )
    return [Document(**row) for row in rows.mappings()]


def _row(document: Document) -> dict[str, object]:
    return {name: getattr(document, name) for name in _FIELDS} | {"content_sha256": document.content_sha256}
