"""What is told of a finished step."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from riskee.tracing.hops import Kind


class Remote(NamedTuple):
    """A span of somebody else's trace: 128 and 64 bits."""

    trace_id: int
    span_id: int


class Span(NamedTuple):
    """A finished step of a trace. `error` is the name of what it failed with, empty where it did not."""

    trace: UUID
    span_id: int
    parent_id: int | None
    name: str
    kind: Kind
    began: datetime
    ended: datetime
    attributes: Mapping[str, str | int]
    link: Remote | None = None
    error: str = ""
