"""Where the replay is, and what it plays next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Connection, select

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.market.bars import Bar
from riskee.market.replay import feed_name
from riskee.market.sessions import Session
from riskee.storage.bars import last_sessions, session_bars
from riskee.storage.feed_state import FeedState, read_feed_state, write_feed_state
from riskee.storage.sessions import read_sessions
from riskee.storage.tables import quotes

FEED = "replay"


@dataclass(frozen=True)
class Act:
    """One session to play: its bars, and the quotes (ticker, sequence) that a process before this one published."""

    pass_number: int
    session: Session
    bars: tuple[Bar, ...]
    played: frozenset[tuple[str, int]]

    @property
    def feed(self) -> str:
        return feed_name(self.pass_number)


def next_act(connection: Connection, sessions: int, *, repeat: bool) -> Act | None:
    """What comes after the last session that was played in full, or None where the replay is at its end.

    Raises RetryableError while the database has no history.
    The window is looked up each time: once an import has moved it past the last session played, a new pass begins.
    """
    window = last_sessions(connection, sessions)
    state = read_feed_state(connection, FEED)
    if not window:
        raise RetryableError("there are no sessions to replay", "import history: `riskee data import`")
    if state and state.session_date == window[-1] and not repeat:
        return None
    number, day = _place(state, window)
    session = read_sessions(connection, day, day)[0]
    # What belongs to an unfinished session was received after the session before it was finished, if there was one.
    since = state.updated_at if state else datetime.min.replace(tzinfo=UTC)
    played = _played(connection, feed_name(number), session, since)
    return Act(number, session, tuple(session_bars(connection, day, day)), played)


def _place(state: FeedState | None, window: Sequence[date]) -> tuple[int, date]:
    """The pass under way, and its first session that was not played in full."""
    if state is None:
        return 1, window[0]
    if state.session_date in window[:-1]:
        return state.pass_number, window[window.index(state.session_date) + 1]
    return state.pass_number + 1, window[0]


def _played(connection: Connection, feed: str, session: Session, since: datetime) -> frozenset[tuple[str, int]]:
    statement = select(quotes.c.ticker, quotes.c.sequence).where(
        quotes.c.received_at >= since, quotes.c.feed == feed, quotes.c.session_date == session.session_date
    )
    return frozenset((row.ticker, row.sequence) for row in connection.execute(statement))


def end_pass(connection: Connection, sessions: int, clock: Clock) -> None:
    """Note the pass under way as played to its end, so that the next act begins a new one.

    Nothing may play meanwhile: an act that ends later would note itself as the last one played.
    """
    window = last_sessions(connection, sessions)
    if window:
        number, _ = _place(read_feed_state(connection, FEED), window)
        write_feed_state(connection, FeedState(FEED, number, window[-1], clock.now()))


def remember(connection: Connection, act: Act, clock: Clock) -> None:
    """Note that an act was played in full."""
    write_feed_state(connection, FeedState(FEED, act.pass_number, act.session.session_date, clock.now()))
