"""Progress of long commands: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console
    from rich.progress import Progress, TaskID

# Plain lines show a bar's progress this often.
_PLAIN_SECONDS = 10.0


class Task(Protocol):
    """One thing under way."""

    def tell(self, detail: str) -> None:
        """What is being done right now."""

    def advance(self, done: float, total: float, detail: str = "") -> None:
        """How far it is."""


class Board(Protocol):
    """Where tasks are shown. Tasks may come from several threads."""

    def __enter__(self) -> Board: ...

    def __exit__(self, *exception: object) -> None: ...

    def task(self, title: str) -> AbstractContextManager[Task]:
        """Show a task from here to the end of the block."""


def make_board(*, error: bool = False) -> Board:
    """The board that fits standard output, or standard error where the former is for JSON."""
    from riskee.cli.console import console

    out = console(error=error)
    return LiveBoard(out) if out.is_terminal else PlainBoard(error=error)


class LiveBoard:
    """A line a task, with a spinner, a bar and the time."""

    def __init__(self, out: Console) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}[/]"),
            console=out,
        )

    def __enter__(self) -> LiveBoard:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        identity = self._progress.add_task(title, total=None, detail="")
        try:
            yield _LiveTask(self._progress, identity)
        except BaseException:
            self._progress.update(identity, description=f"[red]✗ {title}[/]")
            self._progress.stop_task(identity)
            raise
        self._progress.update(identity, total=1, completed=1, detail="")


class _LiveTask:
    def __init__(self, progress: Progress, identity: TaskID) -> None:
        self._progress = progress
        self._identity = identity

    def tell(self, detail: str) -> None:
        from rich.markup import escape

        self._progress.update(self._identity, detail=escape(detail.splitlines()[0] if detail else ""))

    def advance(self, done: float, total: float, detail: str = "") -> None:
        self._progress.update(self._identity, completed=done, total=total)
        if detail:
            self.tell(detail)


class PlainBoard:
    """A line whenever something begins, ends or has news."""

    def __init__(self, *, error: bool = False) -> None:
        self._began = time.monotonic()
        self._error = error

    def __enter__(self) -> PlainBoard:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        began = time.monotonic()
        self.line(f"{title} …")
        yield _PlainTask(self, title)
        self.line(f"{title}: done in {time.monotonic() - began:.1f} s")

    def line(self, text: str) -> None:
        """Print one line with the seconds since the start."""
        typer.echo(f"[{time.monotonic() - self._began:6.1f} s] {text}", err=self._error)


class _PlainTask:
    def __init__(self, board: PlainBoard, title: str) -> None:
        self._board = board
        self._title = title
        self._shown = time.monotonic()
        self._detail = ""

    def tell(self, detail: str) -> None:
        if detail and detail != self._detail:
            self._detail = detail
            self._board.line(f"  {self._title}: {detail}")

    def advance(self, done: float, total: float, detail: str = "") -> None:
        now = time.monotonic()
        if detail or now - self._shown >= _PLAIN_SECONDS:
            self._shown = now
            self._board.line(f"  {self._title}: {done / total if total else 1:4.0%} {detail}".rstrip())
