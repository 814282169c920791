"""Rows and messages that failed validation, kept with the reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from riskee.ids import rejection_id
from riskee.storage.database import driver_of
from riskee.storage.tables import quarantine

# Copied aside first, since a wrong file may bring a hundred thousand rows, some of them again.
_STAGE = "CREATE TEMPORARY TABLE incoming_quarantine (LIKE quarantine) ON COMMIT DROP"
_COPY = "COPY incoming_quarantine (quarantine_id, received_at, origin, reason, body) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ["uuid", "timestamptz", "text", "text", "text"]
_INSERT = "INSERT INTO quarantine SELECT * FROM incoming_quarantine ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something refused: `origin` is a subject or a file's name, `body` what was refused, as text."""

    received_at: datetime
    origin: str
    reason: str
    body: str


def add_rejections(connection: Connection, rejections: Iterable[Rejection]) -> int:
    """Keep the rejections; returns how many were not there yet."""
    driver = driver_of(connection)
    connection.execute(text(_STAGE))
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for one in rejections:
            # PostgreSQL's text cannot hold the character NUL, which garbage may well contain.
            body = one.body.replace("\x00", "\\u0000")
            identity = rejection_id(one.origin, one.reason, one.body)
            copy.write_row((identity, one.received_at, one.origin, one.reason, body))
    added = connection.execute(text(_INSERT)).rowcount
    connection.execute(text("DROP TABLE incoming_quarantine"))
    return added


def count_by_reason(connection: Connection) -> dict[tuple[str, str], int]:
    """How many rows are in quarantine, by origin and reason."""
    table = quarantine.c
    rows = connection.execute(
        select(table.origin, table.reason, func.count()).group_by(table.origin, table.reason).order_by(table.origin)
    )
    return {(origin, reason): count for origin, reason, count in rows}
