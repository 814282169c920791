"""`riskee data import` and `riskee data show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.console import Json, console, print_json, print_table
from riskee.cli.replay import with_database
from riskee.cli.runtime import embedded_stack, read_settings
from riskee.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from infra.embedded.stack import Stack
    from riskee.cli.board import Board, Task
    from riskee.market.importing import ImportReport
    from riskee.settings import Settings

app = typer.Typer(help="Import and show price history.", no_args_is_help=True)
_UP = frozenset({"STARTING", "RUNNING", "BACKOFF"})
_DAY_SECONDS = 86_400


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="CSV or Parquet file of daily OHLCV bars.", show_default=False)],
    run: Annotated[bool, typer.Option(help="Then compute features, train models and restart what reads them.")] = True,
    json: Json = False,
) -> None:
    """Import price history; rows that cannot be right go to quarantine."""
    from riskee.cli.board import make_board

    if not path.is_file():  # before anything is held for it
        raise NotFoundError(f"there is no file {path}", "check the path")
    settings = read_settings()
    stack = embedded_stack(settings) if settings.profile == "embedded" else None
    with make_board(error=json) as board:

        def change() -> ImportReport:
            with board.task(f"Importing {path.name}") as task:
                report = _import(settings, path, task.advance)
            if run and stack:
                _materialise(settings, stack, board)
            return report

        report = _while_nothing_plays(stack, board, change) if stack else change()
    predictions = with_database(settings, lambda connection: predictions_a_day(connection, settings))
    if json:
        print_json(_summary(report) | {"replayed_predictions_a_day": predictions})
    else:
        _print_report(report, ran=run and stack is not None)
        _print_load(predictions, settings.feed.replay.session_seconds)


def _import(settings: Settings, path: Path, progress: Any) -> ImportReport:
    from riskee.clock import SystemClock
    from riskee.market.importing import import_file
    from riskee.storage.database import make_engine

    engine = make_engine(settings.database.url, pool_size=1)
    try:
        return import_file(engine, path, SystemClock(), progress)
    finally:
        engine.dispose()


def _materialise(settings: Settings, stack: Stack, board: Board) -> None:
    """Bring everything that was computed from the history up to date with it."""
    from riskee.cli.pipeline import LOG, materialise

    with board.task("Computing features, training models") as task:
        materialise(settings, stack.log_path(LOG), task)


def _while_nothing_plays(stack: Stack, board: Board, change: Callable[[], ImportReport]) -> ImportReport:
    """Change the history while ingest is stopped, then restart predict, which holds the bars in memory, then ingest.

    Else half an import would be replayed, and predicted by models that have not seen it. Both run again afterwards
    also where the change fails. What did not run before is left alone.
    """
    up = _up(stack)
    reports: list[ImportReport] = []

    def work() -> None:
        try:
            reports.append(change())
        finally:
            if "predict" in up:
                with board.task("Restarting predict with the history as it is now") as task:
                    stack.restart("predict", _teller(task))

    if "ingest" not in up:
        work()
        return reports[0]
    try:
        with board.task("Holding the replay, until all is done") as task:
            stack.restart("ingest", _teller(task), while_stopped=work)
    finally:
        if not reports and "ingest" in _up(stack):
            console(error=True).print("Not all was done; ingest runs again, so the replay goes on.")
    return reports[0]


def _teller(task: Task) -> Callable[[str, str], None]:
    return lambda child, message: task.tell(f"{child}: {message}")


def _up(stack: Stack) -> set[str]:
    return {process.name for process in stack.status() if process.state in _UP}


def predictions_a_day(connection: Connection, settings: Settings) -> int | None:
    """How many predictions the replay will store a day at its pace; None where it has none, or no history."""
    from riskee.market.replay import WAVES
    from riskee.storage.bars import last_sessions, session_bars

    seconds, window = settings.feed.replay.session_seconds, last_sessions(connection, 1)
    if not seconds or not window:
        return None
    bars = session_bars(connection, window[-1], window[-1])
    tickers = sum(bar.ticker != settings.model.market_ticker for bar in bars)
    return round(tickers * WAVES * _DAY_SECONDS / seconds)


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


def _print_load(predictions: int | None, session_seconds: float) -> None:
    if predictions is not None:
        console().print(
            f"The replay will store about {predictions:,} predictions a day at {session_seconds:g} s a session; "
            "a larger RISKEE_FEED__REPLAY__SESSION_SECONDS, then `riskee up`, slows it."
        )


@app.command()
def show(json: Json = False) -> None:
    """Show what history the database has by ticker, what was imported, and why rows were refused."""
    from riskee.storage.imports import read_imports
    from riskee.storage.quarantine import count_by_reason
    from riskee.storage.tickers import summaries

    settings = read_settings()
    rows = with_database(settings, summaries)
    imports = with_database(settings, read_imports)
    refused = with_database(settings, count_by_reason)
    if json:
        reasons = [{"origin": origin, "reason": reason, "rows": n} for (origin, reason), n in refused.items()]
        print_json({"tickers": rows, "imports": imports, "quarantine": reasons})
        return
    cells = (
        (r.ticker, r.name, r.first, r.last, f"{r.bars:,}", r.versions - r.bars, r.quarantined, ", ".join(r.sources))
        for r in rows
    )
    print_table("", ("ticker", "name", "first", "last", "bars", "corrections", "quarantined", "sources"), cells)
    made = (
        (f"{i.imported_at:%Y-%m-%d %H:%M}", i.file_name, i.rows_read, i.rows_accepted, i.rows_quarantined)
        for i in imports
    )
    print_table("Imports", ("at (UTC)", "file", "read", "accepted", "quarantined"), made)
    if refused:
        print_table("Quarantine", ("from", "reason", "rows"), ((*key, n) for key, n in refused.items()))
    console().print(f"{len(rows)} tickers, {sum(row.bars for row in rows):,} daily bars")
