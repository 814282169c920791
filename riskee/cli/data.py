"""`riskee data import`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from riskee.cli.console import Json, print_json
from riskee.cli.data_show import show
from riskee.cli.import_report import print_load, print_next, print_reference, print_report, summary
from riskee.cli.runtime import embedded_stack, open_engine, read_settings, with_database
from riskee.errors import FatalError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from infra.embedded.stack import Stack
    from riskee.cli.board import Board, Task
    from riskee.market.importing import ImportReport, Progress
    from riskee.market.references import ReferenceReport
    from riskee.settings import Settings

T = TypeVar("T")
app = typer.Typer(help="Import, fetch and show price history.", no_args_is_help=True)
app.command()(show)
_UP = frozenset({"STARTING", "RUNNING", "BACKOFF"})
_DAY_SECONDS = 86_400
Run = Annotated[bool, typer.Option(help="Then compute features, train models and restart what reads them.")]


class What(StrEnum):
    """What a file is a table of."""

    BARS = "bars"
    INDEX = "index"
    EARNINGS = "earnings"
    MEMBERSHIP = "membership"
    SECTORS = "sectors"


@app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, Parquet or SQLite file, or LEAN's zip.", show_default=False)
    ],
    what: Annotated[
        What, typer.Option("--as", metavar="KIND", help=f"What it is a table of: {', '.join(What)}.")
    ] = What.BARS,
    ticker: Annotated[
        str | None, typer.Option(metavar="TICKER", help="Whose bars they are, where the file does not say it.")
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(metavar="TICKER", help="Whose members they are. Without it: RISKEE_MODEL__MARKET_TICKER."),
    ] = None,
    run: Run = True,
    json: Json = False,
) -> None:
    """Import price history, or what is known beside it; rows that cannot be right go to quarantine."""
    if not path.is_file():  # before anything is held for it
        raise NotFoundError(f"there is no file {path}", "check the path")
    _refuse_senseless(what, ticker, index)
    settings = read_settings()
    title = f"Importing {path.name}"
    if what in {What.BARS, What.INDEX}:
        bring_in(
            settings,
            title,
            lambda told: _import(settings, path, what, ticker and ticker.upper(), told),
            run=run,
            json=json,
        )
    elif what is What.EARNINGS:
        report = change_history(
            settings, title, lambda _: _import_beside(settings, path, what, None), run=run, json=json
        )
        _tell_beside(report, json=json)
        _tell_next(settings, run=run, json=json)
    else:  # nothing is computed from it
        _tell_beside(_import_beside(settings, path, what, index and index.upper()), json=json)


def _refuse_senseless(what: What, ticker: str | None, index: str | None) -> None:
    """Raise FatalError for an option that files of this kind have no use for."""
    if ticker is not None and what not in {What.BARS, What.INDEX}:
        remedy = "name the index by --index" if what is What.MEMBERSHIP else "leave --ticker away"
        raise FatalError(f"a file of {what} says itself which ticker each row is of", remedy)
    if index is not None and what is not What.MEMBERSHIP:
        raise FatalError(f"--index is for --as membership, not for {what}", "an index' bars take --ticker")


def _tell_beside(report: ReferenceReport, *, json: bool) -> None:
    if json:
        print_json(report)
    else:
        print_reference(report)


def _tell_next(settings: Settings, *, run: bool, json: bool) -> None:
    """Where the command has not computed what follows from the history, say what does."""
    embedded = settings.profile == "embedded"
    if not json and not (run and embedded):
        print_next(embedded=embedded)


def bring_in(
    settings: Settings, title: str, bring: Callable[[Progress], ImportReport], *, run: bool, json: bool
) -> None:
    """Change the bars by `bring`, then what was computed from them; print what was done."""
    report = change_history(settings, title, bring, run=run, json=json)
    predictions = with_database(settings, lambda connection: predictions_a_day(connection, settings))
    if json:
        print_json(summary(report) | {"replayed_predictions_a_day": predictions})
    else:
        print_report(report)
        print_load(predictions, settings.feed.replay.session_seconds)
    _tell_next(settings, run=run, json=json)


def change_history(settings: Settings, title: str, bring: Callable[[Progress], T], *, run: bool, json: bool) -> T:
    """Change the history by `bring` while nothing plays, then what was computed from it; returns what `bring` does."""
    from riskee.cli.board import make_board

    stack = embedded_stack(settings) if settings.profile == "embedded" else None
    with make_board(error=json) as board:

        def change() -> T:
            with board.task(title) as task:
                report = bring(task.advance)
            if run and stack:
                _materialise(settings, stack, board)
            return report

        return _while_nothing_plays(stack, board, change) if stack else change()


def _import(settings: Settings, path: Path, what: What, ticker: str | None, progress: Progress) -> ImportReport:
    from riskee.clock import SystemClock
    from riskee.market.importing import import_file, import_index

    with open_engine(settings) as engine:
        importing = import_index if what is What.INDEX else import_file
        return importing(engine, path, SystemClock(), progress, ticker)


def _import_beside(settings: Settings, path: Path, what: What, index: str | None) -> ReferenceReport:
    from riskee.clock import SystemClock
    from riskee.market.references import import_companies, import_membership, import_reports

    clock = SystemClock()
    with open_engine(settings) as engine:
        if what is What.EARNINGS:
            return import_reports(engine, path, clock)
        if what is What.MEMBERSHIP:
            return import_membership(engine, path, index or settings.model.market_ticker, clock)
        return import_companies(engine, path, clock)


def _materialise(settings: Settings, stack: Stack, board: Board) -> None:
    """Bring everything that was computed from the history up to date with it."""
    from riskee.cli.pipeline import LOG, materialise

    with board.task("Computing features, training models") as task:
        materialise(settings, stack.log_path(LOG), task)


def _while_nothing_plays(stack: Stack, board: Board, change: Callable[[], T]) -> T:
    """Change the history while ingest is stopped, then restart predict, which holds the bars in memory, then ingest.

    Else half an import would be replayed, and predicted by models that have not seen it. Both run again afterwards
    also where the change fails. What did not run before is left alone.
    """
    from infra.embedded.ports import is_predictor

    up = _up(stack)
    reports: list[T] = []

    def work() -> None:
        try:
            reports.append(change())
        finally:
            for name in sorted(filter(is_predictor, up)):
                with board.task(f"Restarting {name} with the history as it is now") as task:
                    stack.restart(name, _teller(task))

    if "ingest" not in up:
        work()
        return reports[0]
    try:
        with board.task("Holding the replay, until all is done") as task:
            stack.restart("ingest", _teller(task), while_stopped=work)
    finally:
        if not reports and "ingest" in _up(stack):
            typer.echo("Not all was done; ingest runs again, so the replay goes on.", err=True)
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
