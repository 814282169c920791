"""Printing: for people with Rich, for programs as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rich.console import Console
    from rich.text import Text

    from riskee.errors import RiskeeError

# A file or pipe has no edge at which a table would have to fold.
_FILE_WIDTH = 160
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def console(*, error: bool = False, markup: bool = True) -> Console:
    """A console on standard output, or on standard error. With `markup` brackets in a text are Rich's."""
    from rich.console import Console

    made = Console(stderr=error, highlight=False, soft_wrap=True, markup=markup)
    if not made.is_terminal:
        made.width = _FILE_WIDTH
    return made


def print_json(data: Any, *, error: bool = False) -> None:
    """Print data (structs, dataclasses, dates and the like too) as indented JSON; `error`: on standard error."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode(), err=error)


def styled(text: object, style: str) -> Text:
    """A cell of a table in a style, such as `red`."""
    from rich.text import Text

    return Text(str(text), style)


def print_table(
    title: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Collection[str] = ()
) -> None:
    """Print a table. Brackets in cells and titles are text, never markup; a `styled` cell has its style; None is empty.

    On a narrow terminal cells fold, except of the first column, which names the row, and of those in `whole`.
    """
    from rich import box
    from rich.table import Column, Table
    from rich.text import Text

    columns = (Column(name, no_wrap=not at or name in whole, overflow="fold") for at, name in enumerate(header))
    table = Table(
        *columns, title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0)
    )
    for row in rows:
        table.add_row(*("" if cell is None else cell if isinstance(cell, Text) else str(cell) for cell in row))
    console(markup=False).print(table)


def show_error(error: RiskeeError, *, json: bool = False) -> None:
    """The cause in red, what belongs to it below, then the next step; for programs the same as JSON."""
    from rich.markup import escape

    if json:
        print_json({"error": error.cause, "next_step": error.remedy}, error=True)
        return
    first, *rest = error.cause.splitlines() or [type(error).__name__]
    out = console(error=True)
    out.print(f"[bold red]error:[/] [red]{escape(first)}[/]")
    for line in rest:
        out.print(f"[dim]  {escape(line)}[/]")
    if error.remedy:
        out.print(f"[bold]next:[/]  {escape(error.remedy)}")


def show_defect(error: Exception) -> None:
    """An error that nobody foresaw."""
    from rich.markup import escape

    out = console(error=True)
    out.print(f"[bold red]error:[/] [red]{escape(f'{type(error).__name__}: {error}')}[/]")
    out.print(
        "[bold]next:[/]  this is a defect of Riskee: run the command again with --debug and report what it prints"
    )
