"""The days that part a history: what a training may know, what is sealed, and the day on which all is judged."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, text

from riskee.settings import Settings
from riskee.storage.bars import last_sessions

# What has been played: in a replay the data of later sessions are stored already, and must not be looked at.
_AT = text("SELECT session_date FROM feed_state WHERE feed = :feed")


@dataclass(frozen=True)
class Boundaries:
    """A training knows the outcomes of sessions before `known_before`; None of the rows from `holdout_from` on is
    learnt from (None: all are)."""

    known_before: date
    holdout_from: date | None

    @property
    def learnt_before(self) -> date:
        """The first session that nothing is learnt from."""
        return self.holdout_from or self.known_before


def boundaries(connection: Connection, settings: Settings) -> Boundaries | None:
    """Where the sessions held out and the sealed ones begin; None without bars. A live feed holds nothing out."""
    held_out, sealed = settings.feed.held_out_sessions, settings.model.holdout_sessions
    sessions = last_sessions(connection, max(1, held_out + sealed))
    if not sessions:
        return None
    known_before = sessions[-held_out:][0] if held_out else sessions[-1] + timedelta(days=1)
    return Boundaries(known_before, sessions[0] if sealed else None)


def judged_on(connection: Connection, settings: Settings) -> date | None:
    """The session that the feed is at, or the newest with bars: a champion's age is judged on it."""
    at: date | None = connection.scalar(_AT, {"feed": settings.feed.kind})
    return at or next(iter(last_sessions(connection, 1)), None)
