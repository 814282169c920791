"""Playing a range of past days through the live path: an ingest of its own, in place of the stack's."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riskee.cli.runtime import REPO_ROOT, embedded_stack, open_engine, with_database
from riskee.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.embedded.stack import Stack
    from riskee.cli.board import Task
    from riskee.settings import ReplaySettings, Settings
    from riskee.storage.feed_state import FeedState
    from riskee.storage.replay import Window

_POLL_SECONDS = 0.25
_STOP_SECONDS = 20.0
_LOG = "replay"


@dataclass(frozen=True)
class Played:
    """What was played, and how long that took."""

    feed: str
    first: str
    last: str
    sessions: int
    quotes: int
    seconds: float


def play(settings: Settings, wanted: ReplaySettings, task: Task) -> Played:
    """Play the days that `wanted` names once, to their end; an interrupted play goes on where it stopped.

    The stack's ingest is stopped meanwhile. Raises FatalError where the stack does not run, the play fails, or there
    was nothing to tell.
    """
    from riskee.clock import SystemClock
    from riskee.storage.replay import begin_pass, quotes_played

    stack = embedded_stack(settings)
    window = with_database(settings, lambda connection: begin_pass(connection, wanted, SystemClock()))
    began = time.monotonic()
    ends: list[FeedState] = []

    def playing() -> None:
        with _ingest(stack, wanted) as process:
            ends.append(_follow(settings, window, process, stack, task))

    stack.restart("ingest", while_stopped=playing)
    feed, count = window.feed(ends[0].pass_number, window.days[-1]), quotes_played(ends[0])
    if not count:
        raise FatalError(
            "the days gave no quotes", f"the log {stack.log_path(_LOG)} says why; were their bars refused?"
        )
    seconds = round(time.monotonic() - began, 1)
    return Played(feed, str(window.days[0]), str(window.days[-1]), len(window.days), count, seconds)


@contextmanager
def _ingest(stack: Stack, wanted: ReplaySettings) -> Iterator[subprocess.Popen[bytes]]:
    """An ingest that plays, stopped at the end. What it says is in the log `replay`."""
    environment = stack.environment() | _settings(wanted)
    with stack.log_path(_LOG).open("ab") as log:
        command = [sys.executable, "-m", "serving.consumers.ingest"]
        process = subprocess.Popen(command, cwd=REPO_ROOT, env=environment, stdout=log, stderr=log)  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _settings(wanted: ReplaySettings) -> dict[str, str]:
    values: dict[str, Any] = {"repeat": False, "session_seconds": wanted.session_seconds, "lockstep": wanted.lockstep}
    values |= {"first": wanted.first, "last": wanted.last, "minutes": wanted.minutes}
    told = {f"RISKEE_FEED__REPLAY__{name.upper()}": str(value) for name, value in values.items() if value is not None}
    return {"RISKEE_FEED__KIND": "replay"} | told


def _follow(
    settings: Settings, window: Window, process: subprocess.Popen[bytes], stack: Stack, task: Task
) -> FeedState:
    """Wait until the last day is played; returns where the feed is then."""
    from riskee.storage.database import database_errors
    from riskee.storage.feed_state import read_feed_state

    with open_engine(settings) as engine:
        while process.poll() is None:
            with database_errors(), engine.begin() as connection:
                state = read_feed_state(connection, window.name)
            if state is not None and state.session_date in window.days:
                done = window.days.index(state.session_date) + 1
                task.advance(done, len(window.days), f"{state.session_date}")
                if done == len(window.days):
                    return state
            time.sleep(_POLL_SECONDS)
    log = stack.log_path(_LOG)
    tail = log.read_text(errors="replace").splitlines()[-3:]
    raise FatalError("\n".join([f"the replay ended with code {process.returncode}", *tail]), f"the whole log is {log}")
