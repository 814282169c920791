"""Stored predictions and the quotes that they were made from."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from riskee.errors import NotFoundError
from riskee.messaging.messages import Flag, Interval, Prediction, Quote
from riskee.settings import DatabaseSettings
from riskee.storage.database import driver_of
from riskee.storage.tables import predictions, quotes

_KEPT_DAYS = DatabaseSettings.model_fields["predictions_retention_days"].default

# Of the partitions of one table a query looks into those alone whose time it names. Most tickers were predicted today.
_RECENT = timedelta(days=1)
# The columns in the order of a message's fields, so that 5,000 rows become messages without their names
# (docs/adr/0138); the interval's come as three.
_BOUNDS = [f"price_{name}" for name in Interval.__struct_fields__]
_FIELDS = Prediction.__struct_fields__
_BEFORE, _AFTER = _FIELDS.index("interval"), _FIELDS.index("interval") + len(_BOUNDS)
_COLUMNS = ", ".join([*_FIELDS[:_BEFORE], *_BOUNDS, *_FIELDS[_BEFORE + 1 :]])
_TICKER, _FLAGS = _FIELDS.index("ticker"), _FIELDS.index("flags") + len(_BOUNDS) - 1
_EVER = ("-infinity", "infinity")
# One index probe a ticker and partition.
_LATEST = (
    "SELECT latest.* FROM unnest(CAST(%(tickers)s AS text[])) AS wanted (ticker)"  # noqa: S608 (names of columns)
    f" CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM predictions WHERE predictions.ticker = wanted.ticker"
    " AND prediction_time BETWEEN %(since)s AND %(until)s"
    " ORDER BY prediction_time DESC, as_of DESC LIMIT 1) AS latest"
)
# A plan that is kept for any times has the partitions of all, and each look costs twice as much: from the eleventh
# question of a connection on it would be taken. One for these times costs as much as some fifty looks.
_PLAN_ANEW = "SET LOCAL plan_cache_mode = force_custom_plan"
_MANY = 100
# So many tell how far back the others are looked for: of a ticker PostgreSQL reads all that an index's page has within
# the bounds, some 200 predictions of a day and one of the last seconds.
_SAMPLE = 50


def latest_predictions(connection: Connection, tickers: Sequence[str], now: datetime) -> dict[str, Prediction]:
    """The newest stored prediction of each ticker that has one. `now` only says where to look first."""
    since, until = now - _RECENT, now + _RECENT
    found: dict[str, Prediction] = {}
    if len(tickers) >= _MANY:
        connection.exec_driver_sql(_PLAN_ANEW)
        found = _latest(connection, list(tickers[:: len(tickers) // _SAMPLE]), since, until)
        if found:
            oldest = min(one.prediction_time for one in found.values())
            found |= _latest(connection, _others(tickers, found), oldest, until)
    for bounds in ((since, until), _EVER):
        if others := _others(tickers, found):
            found |= _latest(connection, others, *bounds)
    return found


def _others(tickers: Sequence[str], found: Mapping[str, Prediction]) -> list[str]:
    return [ticker for ticker in tickers if ticker not in found]


def _latest(
    connection: Connection, tickers: list[str], since: datetime | str, until: datetime | str
) -> dict[str, Prediction]:
    # The driver's rows as they are: SQLAlchemy's types cost a third of the time. In binary: numbers as text do too.
    with driver_of(connection).cursor(binary=True) as cursor:
        cursor.execute(_LATEST, {"tickers": tickers, "since": since, "until": until})
        return {row[_TICKER]: _in_order(row) for row in cursor}


def _in_order(row: tuple[Any, ...]) -> Prediction:
    values = list(row)
    values[_FLAGS] = _flags(tuple(values[_FLAGS]))
    values[_BEFORE:_AFTER] = [Interval(*values[_BEFORE:_AFTER])]
    return Prediction(*values)


@cache
def _flags(names: tuple[str, ...]) -> tuple[Flag, ...]:
    # Of few combinations.
    return tuple(map(Flag, names))


def prediction_of(row: Row[Any]) -> Prediction:
    """The message of a row of `predictions`."""
    return prediction_from(dict(row._mapping))


def prediction_from(values: dict[str, Any]) -> Prediction:
    """The message of the columns of `predictions`, which are used up."""
    interval = Interval(**{name: values.pop(f"price_{name}") for name in ("p10", "p50", "p90")})
    flags = tuple(Flag(flag) for flag in values.pop("flags"))
    return Prediction(**values, interval=interval, flags=flags)


def find_prediction(connection: Connection, prediction_id: uuid.UUID) -> Prediction:
    """A stored prediction. Raises NotFoundError."""
    return prediction_of(_find(connection, predictions, "prediction_id", prediction_id))


def find_quote(connection: Connection, quote_id: uuid.UUID) -> Quote:
    """A stored quote. Raises NotFoundError."""
    return Quote(**_find(connection, quotes, "quote_id", quote_id)._mapping)


def _find(connection: Connection, table: Table, key: str, identity: uuid.UUID) -> Row[Any]:
    row = connection.execute(select(table).where(table.c[key] == identity).limit(1)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"there is no {table.name.removesuffix('s')} {identity}",
            "it was not recorded, or its retention is over: quotes and predictions are kept for"
            f" RISKEE_DATABASE__PREDICTIONS_RETENTION_DAYS, {_KEPT_DAYS} days unless set; the track record for ever",
        )
    return row
