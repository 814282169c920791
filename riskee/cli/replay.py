"""`riskee replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.console import Json, console, print_json
from riskee.cli.runtime import embedded_stack, read_settings
from riskee.errors import FatalError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from riskee.settings import Settings


def replay(
    restart: Annotated[bool, typer.Option("--restart", help="Begin a new pass from its first session.")] = False,
    json: Json = False,
) -> None:
    """Show how far the replay of past prices is."""
    settings = read_settings()
    if restart:
        _restart(settings)
    found = with_database(settings, lambda connection: status(connection, settings))
    if json:
        print_json(found)
        return
    out = console()
    speed = found["session_seconds"]
    pace = f"{speed:g} s a session" if speed else "as fast as it goes"
    out.print(f"replay of {found['first']} to {found['last']}: {found['sessions']} sessions, {pace}")
    if found["pass"] is None:
        out.print("no session was played yet")
    else:
        out.print(f"pass {found['pass']}: session {found['played']} of {found['sessions']} done ({found['session']})")
    out.print("[dim]speed and length: RISKEE_FEED__REPLAY__SESSION_SECONDS, …__SESSIONS, then `riskee up`[/]")


def status(connection: Connection, settings: Settings) -> dict[str, Any]:
    """The window that is replayed, and how much of it was played. Raises FatalError without history."""
    from riskee.storage.bars import last_sessions
    from riskee.storage.feed_state import read_feed_state
    from riskee.storage.replay import FEED

    window = last_sessions(connection, settings.feed.replay.sessions)
    if not window:
        raise FatalError("there is no history to replay", "`riskee up` loads the bundled one")
    state = read_feed_state(connection, FEED)
    played = sum(day <= state.session_date for day in window) if state else 0
    return {
        "pass": state.pass_number if state else None,
        "session": state.session_date if state else None,
        "played": played,
        "sessions": len(window),
        "first": window[0],
        "last": window[-1],
        "session_seconds": settings.feed.replay.session_seconds,
        "repeat": settings.feed.replay.repeat,
    }


def _restart(settings: Settings) -> None:
    """End the pass in the books while ingest is stopped: an act that it finished afterwards would undo that."""
    from riskee.clock import SystemClock
    from riskee.storage.replay import end_pass

    stack = embedded_stack(settings)
    replay = settings.feed.replay
    if not replay.repeat:
        raise FatalError("the replay does not repeat", "set RISKEE_FEED__REPLAY__REPEAT=true and run `riskee up`")

    def end() -> None:
        with_database(settings, lambda connection: end_pass(connection, replay.sessions, SystemClock()))

    with console(error=True).status("restarting ingest …"):
        stack.restart("ingest", while_stopped=end)


def with_database(settings: Settings, work: Any) -> Any:
    """Run `work(connection)` in one transaction. Raises RetryableError where the database is away."""
    from riskee.storage.database import database_errors, make_engine

    engine = make_engine(settings.database.url, pool_size=1)
    try:
        with database_errors(), engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()
