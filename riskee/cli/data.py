"""`riskee data import` and `riskee data show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.console import Json, console, print_json, print_table
from riskee.cli.replay import with_database
from riskee.cli.runtime import embedded_stack, read_settings

if TYPE_CHECKING:
    from riskee.market.importing import ImportReport
    from riskee.settings import Settings

app = typer.Typer(help="Import and show price history.", no_args_is_help=True)
# They hold the history in memory: predict its tickers, ingest the sessions to replay.
_READERS = ("predict", "ingest")


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="CSV or Parquet file of daily OHLCV bars.", show_default=False)],
    run: Annotated[bool, typer.Option(help="Then compute features, train models and restart what reads them.")] = True,
    json: Json = False,
) -> None:
    """Import price history; rows that cannot be right go to quarantine."""
    from riskee.cli.board import make_board

    settings = read_settings()
    with make_board(error=json) as board:
        with board.task(f"Importing {path.name}") as task:
            report = _import(settings, path, task.advance)
        if run and settings.profile == "embedded":
            _run_on_it(settings, board)
    if json:
        print_json(_summary(report))
    else:
        _print_report(report, ran=run and settings.profile == "embedded")


def _import(settings: Settings, path: Path, progress: Any) -> ImportReport:
    from riskee.clock import SystemClock
    from riskee.market.importing import import_file
    from riskee.storage.database import make_engine

    engine = make_engine(settings.database.url, pool_size=1)
    try:
        return import_file(engine, path, SystemClock(), progress)
    finally:
        engine.dispose()


def _run_on_it(settings: Settings, board: Any) -> None:
    """Bring everything that was computed from the history up to date with it."""
    from riskee.cli.pipeline import LOG, materialise

    stack = embedded_stack(settings)
    with board.task("Computing features, training models") as task:
        materialise(settings, stack.log_path(LOG), task)
    running = {process.name for process in stack.status() if process.state == "RUNNING"}
    with board.task("Restarting what reads the history") as task:
        for name in _READERS:
            if name in running:
                stack.restart(name, lambda child, message: task.tell(f"{child}: {message}"))


def _summary(report: ImportReport) -> dict[str, Any]:
    return {
        "source": report.source, "rows_read": report.rows_read, "rows_accepted": report.rows_accepted,
        "rows_quarantined": report.rows_quarantined, "quarantined": report.quarantined, "flags": report.flags,
        "notes": report.notes, "new": report.bars.new, "changed": report.bars.changed,
        "unchanged": report.bars.unchanged, "tickers": report.tickers, "first": report.first, "last": report.last,
    }  # fmt: skip


def _print_report(report: ImportReport, *, ran: bool) -> None:
    out = console()
    out.print(
        f"{report.source}: {report.rows_read:,} rows read, {report.rows_accepted:,} accepted of {report.tickers} "
        f"tickers, {report.first} to {report.last}"
    )
    bars = report.bars
    out.print(f"  {bars.new:,} new bars, {bars.changed:,} corrected, {bars.unchanged:,} known already")
    if report.rows_quarantined:
        out.print(f"  [yellow]{report.rows_quarantined:,} rows in quarantine[/] (table `quarantine`):")
    for kind, counts in (("", report.quarantined), ("accepted, but look at: ", report.flags)):
        for reason, count in counts.items():
            out.print(f"    {count:>8,}  {kind}{reason}")
    for note in report.notes:
        out.print(f"  {note}")
    if not ran:
        out.print(
            "Next: materialise the assets in Dagster (job `pipeline`), then restart predict and ingest, "
            "so that everything runs on it."
        )


@app.command()
def show(json: Json = False) -> None:
    """Show what history the database has, by ticker."""
    from riskee.storage.tickers import summaries

    rows = with_database(read_settings(), summaries)
    if json:
        print_json(rows)
        return
    cells = (
        (r.ticker, r.name, r.first, r.last, f"{r.bars:,}", r.versions - r.bars, r.quarantined, ", ".join(r.sources))
        for r in rows
    )
    print_table("", ("ticker", "name", "first", "last", "bars", "corrections", "quarantined", "sources"), cells)
    console().print(f"{len(rows)} tickers, {sum(row.bars for row in rows):,} daily bars")
