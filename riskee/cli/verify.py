"""`riskee verify`: whether what is stored is what it should be."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from riskee.cli.console import Json, console, print_json, print_table
from riskee.cli.days import FromDay, ToDay, days
from riskee.cli.runtime import open_engine, read_settings
from riskee.errors import NotFoundError

if TYPE_CHECKING:
    from riskee.features.parity import ParityReport

app = typer.Typer(help="Check what is stored against what it should be.", no_args_is_help=True)


@app.command()
def parity(
    since: FromDay = None,
    until: ToDay = None,
    json: Json = False,
) -> None:
    """Compare the feature table with what the live kernel makes of the same bars; exit with 1 where they differ.

    Values agree that differ by no more than 1e-9 of the larger one; one below 0.001 is judged as if it were 0.001.
    """
    from riskee.cli.board import make_board
    from riskee.features.parity import compare_stored

    settings, (first, last) = read_settings(), days(since, until)
    started = time.perf_counter()
    told = "Comparing the features with the live kernel"
    with open_engine(settings) as engine, make_board(error=json) as board, board.task(told) as task:
        report = compare_stored(engine, settings.model.market_ticker, since=first, until=last, progress=task.advance)
    seconds = round(time.perf_counter() - started, 1)
    if not report.rows + report.missing_rows + report.surplus_rows:
        raise NotFoundError("there are no bars to compare", "choose other sessions, or load history: `riskee up`")
    if json:
        print_json({"agrees": report.agrees, "seconds": seconds} | asdict(report))
    else:
        _print(report, seconds)
    if not report.agrees:
        raise typer.Exit(1)


def _print(report: ParityReport, seconds: float) -> None:
    out = console()
    colour = "green" if report.agrees else "red"
    noun = "mismatch" if report.mismatches == 1 else "mismatches"
    out.print(
        f"[{colour}]{report.mismatches:,} {noun}[/] in {report.values:,} values of {report.rows:,} rows, "
        f"compared in {seconds:g} s; worst {report.worst:.1e} ({report.worst_feature or 'none'})"
    )
    if report.missing_rows or report.surplus_rows:
        out.print(
            f"[red]{report.missing_rows:,} bars without features, {report.surplus_rows:,} features without a bar[/]"
        )
    if report.examples:
        rows = ((e.ticker, e.session, e.feature, repr(e.table), repr(e.kernel)) for e in report.examples)
        print_table("", ("ticker", "session", "feature", "table", "kernel"), rows)
