"""Stored predictions and the quotes that they were made from."""

import uuid
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from riskee.errors import NotFoundError
from riskee.messaging.messages import Flag, Interval, Prediction, Quote
from riskee.storage.tables import predictions, quotes


def prediction_of(row: Row[Any]) -> Prediction:
    """The message of a row of `predictions`."""
    values = dict(row._mapping)
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
            "it was not recorded, or its retention is over (RISKEE_DATABASE__PREDICTIONS_RETENTION_DAYS)",
        )
    return row
