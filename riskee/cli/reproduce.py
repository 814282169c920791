"""`riskee reproduce`: a stored prediction made again, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from riskee.cli.console import Json, console, print_json, print_table, styled
from riskee.cli.runtime import read_settings, with_database

if TYPE_CHECKING:
    from serving.reproduction import Reproduction


def reproduce(
    prediction_id: Annotated[UUID, typer.Argument(help="The prediction's id.", show_default=False)],
    json: Json = False,
) -> None:
    """Make a stored prediction again, and compare it.

    It is made from its bars, quotes and model; exit with 1 where a number differs.
    """
    from serving.reproduction import reproduce as make

    settings = read_settings()
    done = with_database(settings, lambda connection: make(connection, settings, prediction_id))
    if json:
        print_json(done)
    else:
        _print(done)
    if not done.equal:
        raise typer.Exit(1)


def _print(done: Reproduction) -> None:
    from dataclasses import asdict

    rows = ((f.name, f.stored, f.made, "equal" if f.equal else styled("differs", "red")) for f in done.fields)
    print_table(f"Prediction {done.prediction_id}", ("field", "stored", "made again", ""), rows)
    lineage = ((name.replace("_", " "), value) for name, value in asdict(done.lineage).items())
    print_table("Made from", ("", ""), lineage)
    out = console()
    if done.equal:
        out.print("[green]the same[/]: every number has the same bytes")
        return
    out.print("[red]not the same.[/] What may explain it:")
    for reason in done.reasons:
        typer.echo(f"  {reason}")
