"""Stored explanations."""

import uuid
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from riskee.messaging.explanations import Explanation
from riskee.storage.tables import explanations

_COLUMNS = [explanations.c[name] for name in Explanation.__struct_fields__]


def explanation_of(connection: Connection, prediction_id: uuid.UUID) -> Explanation | None:
    """The best explanation of a prediction: the language model's before the template's, then the newest."""
    by_template = explanations.c.generator == "template"
    statement = (
        select(*_COLUMNS)
        .where(explanations.c.prediction_id == prediction_id)
        .order_by(by_template, explanations.c.created_at.desc(), explanations.c.explanation_id)
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else _explanation(row)


def explanations_of_ticker(
    connection: Connection, ticker: str, limit: int, before: datetime | None = None
) -> list[Explanation]:
    """The newest explanations of a ticker, newest first; a later page begins `before` the last one's `created_at`."""
    table = explanations.c
    statement = select(*_COLUMNS).where(table.ticker == ticker)
    if before is not None:
        statement = statement.where(table.created_at < before)
    statement = statement.order_by(table.created_at.desc(), table.explanation_id).limit(limit)
    return [_explanation(row) for row in connection.execute(statement)]


def _explanation(row: Row[Any]) -> Explanation:
    return msgspec.convert(dict(zip(Explanation.__struct_fields__, row, strict=True)), Explanation)
