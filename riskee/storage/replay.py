"""Where the replay is, and what it plays next."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, select

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.market.replay import MINUTES, REPLAY, feed_name
from riskee.market.sessions import Session
from riskee.settings import ReplaySettings
from riskee.storage.bars import days_with_bars, last_sessions
from riskee.storage.feed_state import FeedState, read_feed_state, write_feed_state
from riskee.storage.sessions import read_sessions
from riskee.storage.tables import quotes

_QUOTES = "quotes"


@dataclass(frozen=True)
class Window:
    """The days that are played, in order. `name` is where their progress is kept, and the start of the feed's name."""

    name: str
    days: tuple[date, ...]
    of_minutes: bool = False

    def feed(self, pass_number: int, day: date) -> str:
        """The feed of a day. Every pass predicts anew; and so does every day of minutes, whose sums differ from the
        daily bars: a day must begin from these, whether the day before was played or not."""
        return feed_name(pass_number, f"{self.name}/{day}" if self.of_minutes else self.name)


@dataclass(frozen=True)
class Act:
    """One session to play, and the quotes of it that a process before this one published."""

    window: Window
    pass_number: int
    session: Session
    played: frozenset[uuid.UUID]

    @property
    def feed(self) -> str:
        return self.window.feed(self.pass_number, self.session.session_date)


def find_window(connection: Connection, settings: ReplaySettings) -> Window:
    """What the settings ask for. Raises RetryableError while the database has no such days.

    It is looked up each time: once an import has moved it past the last session played, a new pass begins.
    """
    if settings.first is None:
        window = Window(REPLAY, tuple(last_sessions(connection, settings.sessions)))
    else:
        newest = last_sessions(connection, 1)
        last = settings.last or (newest[-1] if newest else settings.first)
        days = tuple(session.session_date for session in read_sessions(connection, settings.first, last))
        if settings.minutes is None:
            days = days_with_bars(connection, days)
        kind = f"{MINUTES}/" if settings.minutes else ""
        window = Window(f"{REPLAY}/{kind}{settings.first}..{last}", days, of_minutes=settings.minutes is not None)
    if not window.days:
        wanted = f" from {settings.first} to {last}" if settings.first else ""
        raise RetryableError(f"there are no sessions to replay{wanted}", "import history: `riskee data import`")
    return window


def next_act(connection: Connection, settings: ReplaySettings) -> Act | None:
    """What comes after the last session that was played in full, or None where the replay is at its end.

    Raises RetryableError while the database has no history.
    """
    window = find_window(connection, settings)
    state = read_feed_state(connection, window.name)
    if state and state.session_date == window.days[-1] and not settings.repeat:
        return None
    number, day = _place(state, window)
    session = read_sessions(connection, day, day)[0]
    # What belongs to an unfinished session was received after the session before it was finished, if there was one.
    since = state.updated_at if state else datetime.min.replace(tzinfo=UTC)
    played = _played(connection, window.feed(number, day), session, since)
    return Act(window, number, session, played)


def _place(state: FeedState | None, window: Window) -> tuple[int, date]:
    """The pass under way, and its first session that was not played in full."""
    if state is None:
        return 1, window.days[0]
    if state.session_date in window.days[:-1]:
        return state.pass_number, window.days[window.days.index(state.session_date) + 1]
    return state.pass_number + 1, window.days[0]


def _played(connection: Connection, feed: str, session: Session, since: datetime) -> frozenset[uuid.UUID]:
    statement = select(quotes.c.quote_id).where(
        quotes.c.received_at >= since, quotes.c.feed == feed, quotes.c.session_date == session.session_date
    )
    return frozenset(connection.scalars(statement))


def end_pass(connection: Connection, settings: ReplaySettings, clock: Clock) -> None:
    """Note the pass under way as played to its end, so that the next act begins a new one.

    Nothing may play meanwhile: an act that ends later would note itself as the last one played.
    """
    window = find_window(connection, settings)
    number, _ = _place(read_feed_state(connection, window.name), window)
    write_feed_state(connection, FeedState(window.name, number, window.days[-1], clock.now()))


def begin_pass(connection: Connection, settings: ReplaySettings, clock: Clock) -> Window:
    """Let a window that was played to its end be played once more; one that was not goes on. Returns the window."""
    window = find_window(connection, settings)
    state = read_feed_state(connection, window.name)
    if state and state.session_date == window.days[-1]:
        before = window.days[0] - timedelta(days=1)
        write_feed_state(connection, FeedState(window.name, state.pass_number, before, clock.now()))
    return window


def remember(connection: Connection, act: Act, clock: Clock, count: int) -> None:
    """Note that an act, of so many quotes, was played in full."""
    state = read_feed_state(connection, act.window.name)
    before = quotes_played(state) if state is not None and state.pass_number == act.pass_number else 0
    position = {_QUOTES: before + count}
    day = act.session.session_date
    write_feed_state(connection, FeedState(act.window.name, act.pass_number, day, clock.now(), position))


def quotes_played(state: FeedState) -> int:
    """How many quotes the pass had so far."""
    return int((state.position or {}).get(_QUOTES, 0))
