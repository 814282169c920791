"""`riskee replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.board import make_board
from riskee.cli.console import Json, console, print_json
from riskee.cli.days import FromDay, ToDay, days
from riskee.cli.playing import play
from riskee.cli.runtime import embedded_stack, read_settings, with_database
from riskee.errors import FatalError, PoisonError, RetryableError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from riskee.settings import ReplaySettings, Settings


def replay(
    since: FromDay = None,
    until: ToDay = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Seconds of a session; 0: as fast as it goes.", show_default=False)
    ] = None,
    minutes: Annotated[
        Path | None, typer.Option(help="Folder with files of minute bars, in place of daily bars.", show_default=False)
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin a new pass from its first session.")] = False,
    json: Json = False,
) -> None:
    """Show how far the replay is, or play some days once.

    With --from those days are played, in place of the usual feed, which goes on afterwards.
    """
    settings = read_settings()
    first, last = days(since, until)
    if first is not None:
        changes: dict[str, Any] = {"first": first, "last": last, "repeat": False}
        changes |= {"minutes": minutes.absolute() if minutes else None}
        changes |= {} if seconds is None else {"session_seconds": seconds}
        _play(settings, settings.feed.replay.model_copy(update=changes), json=json)
        return
    if last or minutes or seconds is not None:
        raise PoisonError("--to, --seconds and --minutes need a --from", "`riskee replay --from 2012-10-01`")
    if restart:
        _restart(settings)
    found = with_database(settings, lambda connection: status(connection, settings))
    if json:
        print_json(found)
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    out = console()
    speed = found["session_seconds"]
    pace = f"{speed:g} s a session" if speed else "as fast as it goes"
    out.print(f"replay of {found['first']} to {found['last']}: {found['sessions']} sessions, {pace}")
    if found["pass"] is None:
        out.print("no session was played yet")
    else:
        out.print(f"pass {found['pass']}: session {found['played']} of {found['sessions']} done ({found['session']})")
    out.print("[dim]speed and length: RISKEE_FEED__REPLAY__SESSION_SECONDS, …__SESSIONS, then `riskee up`[/]")


def _play(settings: Settings, wanted: ReplaySettings, *, json: bool) -> None:
    with make_board(error=json) as board, board.task("Replaying") as task:
        played = play(settings, wanted, task)
    if json:
        print_json(played)
        return
    days = f"{played.first} to {played.last}" if played.sessions > 1 else played.first
    told = f"played {days} as {played.feed}: {played.quotes:,} quotes in {played.seconds:g} s"
    typer.echo(f"{told}; the usual feed goes on")


def status(connection: Connection, settings: Settings) -> dict[str, Any]:
    """The window that is replayed, and how much of it was played. Raises FatalError without history."""
    from riskee.storage.feed_state import read_feed_state
    from riskee.storage.replay import find_window

    try:
        window = find_window(connection, settings.feed.replay)
    except RetryableError as error:
        raise FatalError("there is no history to replay", "`riskee up` loads the bundled one") from error
    state = read_feed_state(connection, window.name)
    played = sum(day <= state.session_date for day in window.days) if state else 0
    return {
        "pass": state.pass_number if state else None,
        "session": state.session_date if state else None,
        "played": played,
        "sessions": len(window.days),
        "first": window.days[0],
        "last": window.days[-1],
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
        with_database(settings, lambda connection: end_pass(connection, replay, SystemClock()))

    with console(error=True).status("restarting ingest …"):
        stack.restart("ingest", while_stopped=end)
