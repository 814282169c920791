"""The table of documents: the truth from which the vectors are made."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, bindparam, case, func, select, text

from riskee.documents.document import Collection, Document
from riskee.storage.database import driver_of
from riskee.storage.tables import documents as table

_PAGE = 1000
_FIELDS = Document.__struct_fields__
# Copied aside first: tens of thousands at once, most of them often stored already.
_STAGE = "CREATE TEMPORARY TABLE incoming_documents (LIKE documents) ON COMMIT DROP"
_COPY = f"COPY incoming_documents ({', '.join(_FIELDS)}, content_sha256) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ["uuid", *["text"] * 5, "timestamptz", "timestamptz", "text", "uuid", "text"]
_CHANGED = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.c if not column.primary_key)
_STORE = (
    "INSERT INTO documents SELECT * FROM incoming_documents "  # noqa: S608 (the table's own columns)
    f"ON CONFLICT (document_id) DO UPDATE SET {_CHANGED} WHERE documents.content_sha256 <> excluded.content_sha256"
)
_DROP_DERIVED = (
    "DELETE FROM documents WHERE collection = :collection AND parent_id IS NULL "
    "AND document_id NOT IN (SELECT document_id FROM incoming_documents)"
)
_DROP_PASSAGES = (
    "DELETE FROM documents WHERE parent_id IN (SELECT parent_id FROM incoming_documents) "
    "AND document_id NOT IN (SELECT document_id FROM incoming_documents)"
)


@dataclass(frozen=True)
class DocumentCounts:
    """What a write did, in documents."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0

    def __add__(self, other: "DocumentCounts") -> "DocumentCounts":
        return DocumentCounts(
            self.written + other.written, self.unchanged + other.unchanged, self.removed + other.removed
        )


def replace_documents(connection: Connection, collection: Collection, documents: Iterable[Document]) -> DocumentCounts:
    """Make the table hold exactly these derived documents of the collection; imported ones stay.

    The caller owns the transaction.
    """
    wanted = {document.document_id: document for document in documents}
    return _store(connection, wanted.values(), _DROP_DERIVED, {"collection": collection})


def write_passages(connection: Connection, passages: Iterable[Document]) -> DocumentCounts:
    """Store the passages of imported texts, each text with all of its own; what else its text had is removed.

    The caller owns the transaction.
    """
    return _store(connection, passages, _DROP_PASSAGES, {})


def delete_imported(connection: Connection, source: str) -> dict[Collection, list[uuid.UUID]]:
    """Delete the passages of every text imported from the source; their ids by collection.

    The caller owns the transaction.
    """
    imported = table.delete().where(table.c.source == source, table.c.parent_id.is_not(None))
    gone: dict[Collection, list[uuid.UUID]] = {}
    for collection, document_id in connection.execute(imported.returning(table.c.collection, table.c.document_id)):
        gone.setdefault(collection, []).append(document_id)
    return gone


def document_stamps(engine: Engine, collection: Collection) -> Iterator[tuple[uuid.UUID, str]]:
    """Id and `content_sha256` of every document of a collection, ascending by id, in pages of short transactions."""
    query = (
        select(table.c.document_id, table.c.content_sha256)
        .where(table.c.collection == collection, table.c.document_id > bindparam("after"))
        .order_by(table.c.document_id)
        .limit(_PAGE)
    )
    after = uuid.UUID(int=0)
    while True:
        with engine.connect() as connection:
            rows = connection.execute(query, {"after": after}).all()
        yield from ((row.document_id, row.content_sha256) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].document_id


def read_documents(connection: Connection, document_ids: Sequence[uuid.UUID]) -> list[Document]:
    """Those of the documents that exist."""
    rows = connection.execute(select(*(table.c[name] for name in _FIELDS)).where(table.c.document_id.in_(document_ids)))
    return [Document(**row) for row in rows.mappings()]


def sample_documents(connection: Connection, count: int, seed: int) -> list[Document]:
    """Some documents, the same for the same seed and table, in an order without meaning."""
    shuffled = func.md5(func.concat(table.c.document_id, seed))
    rows = connection.execute(select(*(table.c[name] for name in _FIELDS)).order_by(shuffled).limit(count))
    return [Document(**row) for row in rows.mappings()]


def count_documents(connection: Connection) -> dict[tuple[Collection, str | None], int]:
    """How many documents there are, by collection and source; the source None stands for all that are derived."""
    source = case((table.c.parent_id.is_not(None), table.c.source))
    rows = connection.execute(select(table.c.collection, source, func.count()).group_by(table.c.collection, source))
    return {(collection, name): count for collection, name, count in rows}


def _store(
    connection: Connection, documents: Iterable[Document], drop: str, scope: dict[str, object]
) -> DocumentCounts:
    driver = driver_of(connection)
    connection.execute(text(_STAGE))
    count = 0
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for document in documents:
            copy.write_row([*(getattr(document, name) for name in _FIELDS), document.content_sha256])
            count += 1
    removed = connection.execute(text(drop), scope).rowcount
    written = connection.execute(text(_STORE)).rowcount
    connection.execute(text("DROP TABLE incoming_documents"))
    return DocumentCounts(written, count - written, removed)
