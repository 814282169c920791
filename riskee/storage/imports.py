"""The record of what was imported."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from riskee.storage.tables import data_imports


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One import; `rows_accepted` counts those already stored, so an interrupted one has fewer than it could."""

    import_id: UUID
    source: str
    file_name: str
    content_sha256: str
    rows_read: int
    rows_accepted: int
    rows_quarantined: int
    imported_at: datetime


def write_import(connection: Connection, record: ImportRecord) -> None:
    """Add the record, or bring it up to date."""
    values = asdict(record)
    connection.execute(
        insert(data_imports).values(values).on_conflict_do_update(index_elements=["import_id"], set_=values)
    )


def read_imports(connection: Connection) -> list[ImportRecord]:
    """All imports, the latest first."""
    rows = connection.execute(select(data_imports).order_by(data_imports.c.imported_at.desc()))
    return [ImportRecord(*row) for row in rows]
