"""Writing what the consumers receive, by binary COPY, once however often it is delivered.

Every row's key is derived from its content, so a row that is there already is left alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, Table
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from riskee.errors import PoisonError, RetryableError
from riskee.messaging.envelope import Envelope, PayloadT
from riskee.messaging.messages import DeadLetter, Explanation, Prediction, Quote
from riskee.storage import tables
from riskee.storage.database import database_errors
from riskee.telemetry import ROWS_WRITTEN

Row = tuple[object, ...]


@dataclass(frozen=True)
class Recording(Generic[PayloadT]):
    """A table and how a message becomes its row: values by column name."""

    table: Table
    values: Callable[[Envelope[PayloadT]], dict[str, Any]]

    def row(self, envelope: Envelope[PayloadT]) -> Row:
        values = self.values(envelope)
        return tuple(values[column.name] for column in self.table.columns)


def _quote(envelope: Envelope[Quote]) -> dict[str, Any]:
    return msgspec.structs.asdict(envelope.payload)


def _prediction(envelope: Envelope[Prediction]) -> dict[str, Any]:
    interval = envelope.payload.interval
    return {
        **msgspec.structs.asdict(envelope.payload),
        "price_p10": interval.p10,
        "price_p50": interval.p50,
        "price_p90": interval.p90,
        "flags": [str(flag) for flag in envelope.payload.flags],
    }


def _explanation(envelope: Envelope[Explanation]) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(envelope.payload),
        "drivers": Jsonb(msgspec.to_builtins(envelope.payload.drivers)),
        "sources": Jsonb(msgspec.to_builtins(envelope.payload.sources)),
    }


def _dead_letter(envelope: Envelope[DeadLetter]) -> dict[str, Any]:
    letter = envelope.payload
    return {
        "quarantine_id": envelope.message_id,
        "received_at": letter.failed_at,
        "origin": letter.subject,
        # PostgreSQL keeps every character but this one.
        "reason": letter.reason.replace("\0", "\\0"),
        "body": letter.body.replace("\0", "\\0"),
    }


QUOTES = Recording(tables.quotes, _quote)
PREDICTIONS = Recording(tables.predictions, _prediction)
EXPLANATIONS = Recording(tables.explanations, _explanation)
QUARANTINE = Recording(tables.quarantine, _dead_letter)


@contextmanager
def _copy_errors() -> Iterator[None]:
    """The driver's errors as the product's: a value that does not fit is poison, all else may pass."""
    try:
        with database_errors():
            yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise PoisonError(f"the database refuses the row: {error}", "it is kept in the quarantine table") from error
    except psycopg.Error as error:
        raise RetryableError(
            f"the database does not take the rows: {error}", "see `riskee status`; the rows are kept"
        ) from error


def record(engine: Engine, recording: Recording[PayloadT], envelopes: Sequence[Envelope[PayloadT]]) -> int:
    """Write the rows of a batch in one transaction, and give how many are new.

    Raises RetryableError where the database is away and PoisonError where it refuses a value; then none is written.
    """
    rows = [recording.row(envelope) for envelope in envelopes]
    with _copy_errors(), engine.begin() as connection:
        driver = connection.connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise TypeError(f"{type(driver)} is not psycopg's connection")
        new = _copy(driver, recording.table, rows)
    ROWS_WRITTEN.labels(recording.table.name).inc(new)
    return new


def _copy(connection: psycopg.Connection[Any], table: Table, rows: Sequence[Row]) -> int:
    names = {"table": sql.Identifier(table.name), "incoming": sql.Identifier(f"incoming_{table.name}")}
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} (LIKE {table}) ON COMMIT DELETE ROWS").format(
                **names
            )
        )
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
        statement = sql.SQL("COPY {incoming} ({columns}) FROM STDIN (FORMAT BINARY)")
        with cursor.copy(statement.format(columns=columns, **names)) as copy:
            copy.set_types(_types(table))
            for row in rows:
                copy.write_row(row)
        insert = sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {incoming} ON CONFLICT DO NOTHING")
        cursor.execute(insert.format(columns=columns, **names))
        return cursor.rowcount


def _types(table: Table) -> list[str]:
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    return [column.type.compile(dialect=dialect).lower() for column in table.columns]
