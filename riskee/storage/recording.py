"""Writing what the consumers receive, by binary COPY, once however often it is delivered.

Every row's key is derived from its content, so a row that is there already is left alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Generic, cast

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, Table
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from riskee.errors import PoisonError, RetryableError
from riskee.messaging.envelope import Envelope, PayloadT
from riskee.messaging.explanations import Explanation
from riskee.messaging.messages import DeadLetter, Flag, Prediction, Quote
from riskee.messaging.streams import stream_of
from riskee.messaging.subjects import QUOTE
from riskee.storage import tables
from riskee.storage.database import database_errors, driver_of
from riskee.storage.tables import TIME_SERIES
from riskee.telemetry import ROWS_WRITTEN

Row = tuple[object, ...]
RowOf = Callable[[Envelope[PayloadT]], Row]


@dataclass(frozen=True)
class Recording(Generic[PayloadT]):
    """A table and how a message becomes its row: the values of all columns, in their order."""

    table: Table
    row: RowOf[PayloadT]

    @property
    def time_column(self) -> str | None:
        """The column by which the table is cut, and so a part of its key."""
        return next((each.time_column for each in TIME_SERIES if each.table is self.table), None)


def _payload(table: Table, **paths: str) -> RowOf[Any]:
    """The payload's attributes by the columns' names; `paths` names those that are called otherwise."""
    return attrgetter(*(f"payload.{paths.get(column.name, column.name)}" for column in table.columns))


def _replaced(row_of: RowOf[PayloadT], table: Table, **changes: Callable[[Any], object]) -> RowOf[PayloadT]:
    """A row with some of its values turned into what the driver takes, by column."""
    names = [column.name for column in table.columns]
    places = [(names.index(name), change) for name, change in changes.items()]

    def replaced(envelope: Envelope[PayloadT]) -> Row:
        row = [*row_of(envelope)]
        for place, change in places:
            row[place] = change(row[place])
        return tuple(row)

    return replaced


def _texts(flags: Sequence[Flag]) -> list[str]:
    return [flag.value for flag in flags]


def _jsonb(value: object) -> Jsonb:
    return Jsonb(msgspec.to_builtins(value))


def _nullable_jsonb(value: object) -> Jsonb | None:
    return None if value is None else _jsonb(value)


def _dead_letter(envelope: Envelope[DeadLetter]) -> Row:
    letter = envelope.payload
    # PostgreSQL keeps every character but this one.
    reason, body = (text.replace("\0", "\\0") for text in (letter.reason, letter.body))
    return envelope.message_id, letter.failed_at, letter.subject, reason, body


_prediction: RowOf[Prediction] = _payload(
    tables.predictions, price_p10="interval.p10", price_p50="interval.p50", price_p90="interval.p90"
)
QUOTES: Recording[Quote] = Recording(tables.quotes, _payload(tables.quotes))
PREDICTIONS = Recording(tables.predictions, _replaced(_prediction, tables.predictions, flags=_texts))
EXPLANATIONS: Recording[Explanation] = Recording(
    tables.explanations,
    _replaced(
        _payload(tables.explanations),
        tables.explanations,
        drivers=_jsonb,
        sources=_jsonb,
        record=_nullable_jsonb,
        dropped=_jsonb,
    ),
)
QUARANTINE = Recording(tables.quarantine, _dead_letter)
# How far apart two rows of one message can be: the older one waited in the stream, which keeps it no longer.
# A prediction's time is its quote's (docs/adr/0043): two rows of one are as far apart as the two times its quote came.
# Further only where a quote comes again that the stream had removed before it was recorded.
_TWICE_WITHIN = stream_of(QUOTE.name).max_age
# Identifies those who write rows by id among PostgreSQL's advisory locks, with a hash of the table's name.
_LOCK = 7_203


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


def record(
    engine: Engine, recording: Recording[PayloadT], envelopes: Sequence[Envelope[PayloadT]], *, alone: bool = True
) -> int:
    """Write the rows of a batch in one transaction, and give how many are new. Where it is not `alone` others write the
    same tables at the same time.

    Raises RetryableError where the database is away and PoisonError where it refuses a value; then none is written.
    """
    rows = [recording.row(envelope) for envelope in envelopes]
    with _copy_errors(), engine.begin() as connection:
        new = _copy(driver_of(connection), recording, rows, alone=alone)
    ROWS_WRITTEN.labels(recording.table.name).inc(new)
    return new


def _copy(connection: psycopg.Connection[Any], recording: Recording[Any], rows: Sequence[Row], *, alone: bool) -> int:
    table = recording.table
    names = {"table": sql.Identifier(table.name), "incoming": sql.Identifier(f"incoming_{table.name}")}
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} (LIKE {table}) ON COMMIT DELETE ROWS").format(
                **names
            )
        )
        statement = sql.SQL("COPY {incoming} ({columns}) FROM STDIN (FORMAT BINARY)")
        with cursor.copy(statement.format(columns=columns, **names)) as copy:
            copy.set_types(_types(table))
            for row in rows:
                copy.write_row(row)
        if recording.time_column is None:
            insert = sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {incoming} ON CONFLICT DO NOTHING")
            cursor.execute(insert.format(columns=columns, **names))
        else:
            if not alone:
                # What another has looked up and not committed yet is not seen: one after the other.
                cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK, table.name))
            _insert_once(cursor, recording, rows)
        return cursor.rowcount


def _insert_once(cursor: psycopg.Cursor[Any], recording: Recording[Any], rows: Sequence[Row]) -> None:
    """Insert what is new by its id alone: the time, which the key must hold too, may differ (docs/adr/0043).

    The id is looked up in a subquery of its own, which PostgreSQL runs by index for each row; it would join otherwise.
    """
    table, time = recording.table, recording.time_column
    columns = [column.name for column in table.columns]
    place = columns.index(str(time))
    since = min(cast("datetime", row[place]) for row in rows) - _TWICE_WITHIN
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT DISTINCT ON ({id}) {columns} FROM {incoming} AS new"
        " WHERE (SELECT true FROM {table} AS old WHERE old.{id} = new.{id} AND old.{time} >= %s LIMIT 1) IS NULL"
        " ORDER BY {id}, {time} ON CONFLICT DO NOTHING"
    ).format(
        table=sql.Identifier(table.name),
        incoming=sql.Identifier(f"incoming_{table.name}"),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        id=sql.Identifier(columns[0]),
        time=sql.Identifier(str(time)),
    )
    cursor.execute(statement, (since,))


@cache
def _types(table: Table) -> list[str]:
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    return [column.type.compile(dialect=dialect).lower() for column in table.columns]
