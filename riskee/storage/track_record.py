"""The record of what became of predictions: rows are added, never changed, and each seals the ones before it.

A row's digest is the SHA-256 of its values, in the order of the columns and as a JSON array: the digest of the row
before it is one of them, so no row can be changed, left out or put in between without all later digests.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec
from psycopg import sql
from sqlalchemy import Connection, select, text

from riskee.storage.database import driver_of
from riskee.storage.tables import track_record

# The digest before the first row.
GENESIS = "0" * 64
# Rows that are read or written together.
BATCH = 20_000
# Identifies the writers of the record among PostgreSQL's advisory locks: a chain is continued by one at a time.
_LOCK = 0x5269736B06
COLUMNS = tuple(column.name for column in track_record.columns)
_TYPES = ["int8", "uuid", *["text"] * 4, "timestamptz", "date", "date", *["float8"] * 5, "timestamptz", "text", "text"]
_json = msgspec.json.Encoder()

Values = Sequence[object]
"""What of a row is not the chain's: its columns from `prediction_id` to `scored_at`."""


@dataclass(frozen=True)
class Head:
    """The end of the chain: how many rows, and the digest of the last one."""

    rows: int = 0
    sha256: str = GENESIS


@dataclass(frozen=True)
class Verification:
    """The chain computed again. `broken` is the sequence of the first row that is not as it was written, and why."""

    head: Head
    broken: int | None = None
    reason: str = ""


def digest(sequence: int, values: Values, previous: str) -> str:
    """The digest of a row."""
    return hashlib.sha256(_json.encode((sequence, *values, previous))).hexdigest()


def lock(connection: Connection) -> None:
    """Let nobody else write the record until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def head(connection: Connection) -> Head:
    """The end of the chain as it is stored."""
    table = track_record.c
    last = select(table.sequence, table.sha256).order_by(table.sequence.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    return Head() if row is None else Head(*row)


def has_digest(connection: Connection, sha256: str) -> bool:
    """Whether a row has this digest: whoever noted the end of the chain can tell that it was only continued."""
    found = select(track_record.c.sequence).where(track_record.c.sha256 == sha256).limit(1)
    return sha256 == GENESIS or connection.scalar(found) is not None


def goes_through(connection: Connection, noted: Head) -> bool:
    """Whether the chain still has an end that it had once. No digest but the row's own is looked at."""
    table = track_record.c
    return (
        noted == Head() or connection.scalar(select(table.sha256).where(table.sequence == noted.rows)) == noted.sha256
    )


def append(connection: Connection, rows: Iterable[Values], after: Head) -> Head:
    """Write rows to the end of the chain, in their order, and give its new end. Whoever calls holds the lock."""
    sequence, previous = after.rows, after.sha256
    statement = sql.SQL("COPY track_record ({}) FROM STDIN (FORMAT BINARY)")
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    driver = driver_of(connection)
    with driver.cursor() as cursor, cursor.copy(statement.format(columns)) as copy:
        copy.set_types(_TYPES)
        for values in rows:
            sequence += 1
            sealed = digest(sequence, values, previous)
            copy.write_row((sequence, *values, previous, sealed))
            previous = sealed
    return Head(sequence, previous)


def verify(connection: Connection) -> Verification:
    """Compute the whole chain again, and name the first row that is broken."""
    in_order, found = select(track_record).order_by(track_record.c.sequence), Head()
    with connection.execute(in_order, execution_options={"yield_per": BATCH}) as stored:
        for number, *values, previous, sealed in chain.from_iterable(stored.partitions()):
            expected = found.rows + 1
            if number != expected:
                return Verification(found, expected, f"the row is missing; the next one there is {number}")
            if previous != found.sha256:
                return Verification(found, number, "it does not continue the row before it")
            if sealed != digest(number, values, previous):
                return Verification(found, number, "its values are not those of its digest")
            found = Head(number, sealed)
    return Verification(found)
