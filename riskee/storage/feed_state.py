"""How far a feed has come, so that a restart goes on where it stopped."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from riskee.storage.tables import feed_state


@dataclass(frozen=True, slots=True)
class FeedState:
    """The pass under way, and the last session of it that was published in full.

    A feed that follows files has one pass; its session is the last that it has told of, and `position` its place.
    """

    feed: str
    pass_number: int
    session_date: date
    updated_at: datetime
    position: Mapping[str, Any] | None = None


def read_feed_state(connection: Connection, feed: str) -> FeedState | None:
    """The state of the feed; None before its first session."""
    row = connection.execute(select(feed_state).where(feed_state.c.feed == feed)).one_or_none()
    return None if row is None else FeedState(*row)


def write_feed_state(connection: Connection, state: FeedState) -> None:
    """Remember the state."""
    values = asdict(state)
    statement = insert(feed_state).values(values).on_conflict_do_update(index_elements=["feed"], set_=values)
    connection.execute(statement)
