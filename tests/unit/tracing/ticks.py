"""Ticks, and an outbox that keeps what it is given."""

import uuid
from datetime import UTC, datetime
from typing import NamedTuple

from riskee.tracing import Span

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


class Tick(NamedTuple):
    """What a hop needs to know of a quote."""

    quote_id: uuid.UUID
    ticker: str
    received_at: datetime = AT


class Kept:
    """An outbox that keeps all."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.closed = False

    def put(self, span: Span) -> None:
        self.spans.append(span)

    def close(self) -> None:
        self.closed = True
