"""Printing: for people with Rich, for programs as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rich.console import Console

    from riskee.errors import RiskeeError

# A file or pipe has no edge at which a table would have to fold.
_FILE_WIDTH = 160
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def console(*, error: bool = False) -> Console:
    """A console on standard output, or on standard error."""
    from rich.console import Console

    made = Console(stderr=error, highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made.width = _FILE_WIDTH
    return made


def print_json(data: Any) -> None:
    """Print data (structs, dataclasses, dates and the like too) as indented JSON."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def print_table(
    title: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Collection[str] = ()
) -> None:
    """Print a table; cells may hold Rich's markup, None is empty.

    On a narrow terminal cells fold, except of the first column, which names the row, and of those in `whole`.
    """
    from rich import box
    from rich.table import Column, Table

    columns = (Column(name, no_wrap=not at or name in whole, overflow="fold") for at, name in enumerate(header))
    table = Table(
        *columns, title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0)
    )
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(table)


def show_error(error: RiskeeError) -> None:
    """The cause in red, what belongs to it below, then the next step."""
    from rich.markup import escape

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
