"""Rows and messages that failed validation, kept with the reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from riskee.ids import rejection_id
from riskee.storage.tables import quarantine

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something refused: `origin` is a subject or a file's name, `body` what was refused, as text."""

    received_at: datetime
    origin: str
    reason: str
    body: str


def add_rejections(connection: Connection, rejections: Iterable[Rejection]) -> int:
    """Keep the rejections; returns how many were not there yet."""
    rows = [
        {
            "quarantine_id": rejection_id(rejection.origin, rejection.reason, rejection.body),
            "received_at": rejection.received_at,
            "origin": rejection.origin,
            "reason": rejection.reason,
            # PostgreSQL's text cannot hold the character NUL, which garbage may well contain.
            "body": rejection.body.replace("\x00", "\\u0000"),
        }
        for rejection in rejections
    ]
    added = 0
    for start in range(0, len(rows), _BATCH):
        statement = insert(quarantine).values(rows[start : start + _BATCH]).on_conflict_do_nothing()
        added += len(connection.execute(statement.returning(quarantine.c.quarantine_id)).all())
    return added


def count_by_reason(connection: Connection) -> dict[tuple[str, str], int]:
    """How many rows are in quarantine, by origin and reason."""
    table = quarantine.c
    rows = connection.execute(
        select(table.origin, table.reason, func.count()).group_by(table.origin, table.reason).order_by(table.origin)
    )
    return {(origin, reason): count for origin, reason, count in rows}
