"""`riskee track-record` and `riskee verify track-record`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.completion import predicted
from riskee.cli.console import Json, console, print_json, print_table
from riskee.cli.runtime import read_settings, with_database
from riskee.errors import NotFoundError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from riskee.model.live_record import Standing
    from riskee.model.uncertainty import Estimate
    from riskee.storage.track_record import Verification


def track_record(
    ticker: Annotated[
        str, typer.Argument(help="A ticker; all when it is left out.", show_default=False, autocompletion=predicted)
    ] = "",
    json: Json = False,
) -> None:
    """Show what became of the live predictions.

    Hits with their interval, beside chance; Brier score; share of the intervals that held.
    """
    from riskee.model.live_record import ALL, by_ticker, coverage, standings

    ticker = ticker.upper()

    def read(connection: Connection) -> tuple[list[tuple[Standing, Estimate | float]], list[Standing]]:
        found = standings(connection, ticker or ALL)
        if ticker and not found:
            _require(connection, ticker)
        each = [] if ticker else by_ticker(connection)
        return [(standing, coverage(connection, standing)) for standing in found], each

    found, each = with_database(read_settings(), read)
    if json:
        models = [{"standing": standing, "coverage_80": held} for standing, held in found]
        print_json({"models": models, "tickers": each})
        return
    if not found:
        whose = ticker or "any ticker"
        typer.echo(f"no prediction of {whose} is scored yet: one is, once the session after its own is over")
        return
    print_table("", ("model", *_HEADER, "in 80 %"), ((s.model_version, *_cells(s), _held(h)) for s, h in found))
    if each:
        print_table("", ("ticker", *_HEADER, "sessions"), ((s.ticker, *_cells(s), s.sessions) for s in each))
    total = found[0][0]
    typer.echo(f"{total.outcomes:,} predictions of {total.sessions} sessions: {total.verdict}")
    console().print(
        f"[dim]hits with their 95 % interval; chance: always up, or always down; Brier of climatology: "
        f"{total.brier_of_share:.4f}; in 80 %: outcomes within the interval of 80 %[/]"
    )


def _require(connection: Connection, ticker: str) -> None:
    """Raise NotFoundError for a ticker that nobody knows."""
    from riskee.storage.tickers import read_tickers

    if ticker not in {info.ticker for info in read_tickers(connection)}:
        raise NotFoundError(f"there is no ticker {ticker}", "`riskee data show` lists the tickers")


_HEADER = ("n", "hits", "chance", "Brier")


def _cells(standing: Standing) -> tuple[str, ...]:
    s = standing
    return (
        f"{s.outcomes:,}",
        f"{s.hit_rate:.1%} ({s.hit_rate_low:.1%}–{s.hit_rate_high:.1%})",
        f"{s.chance:.1%}",
        f"{s.brier:.4f}",
    )


def _held(held: Estimate | float) -> str:
    return f"{held if isinstance(held, float) else held.value:.1%}"


def verify(
    holds: Annotated[str, typer.Option("--holds", help="A digest noted before, that must be in the chain.")] = "",
    json: Json = False,
) -> None:
    """Compute the chain of the track record again; exit with 1 at the first row that is not as it was written."""
    from rich.markup import escape

    from riskee.storage.track_record import has_digest
    from riskee.storage.track_record import verify as compute

    def read(connection: Connection) -> tuple[Verification, bool]:
        return compute(connection), not holds or has_digest(connection, holds)

    found, held = with_database(read_settings(), read)
    whole = found.broken is None and held
    if json:
        print_json({"whole": whole, "verification": found, "holds": held})
    else:
        out = console()
        typer.echo(f"{found.head.rows:,} rows are as they were written; the last digest is {found.head.sha256}")
        if found.broken is not None:
            out.print(f"[red]row {found.broken} is broken[/]: {escape(found.reason)}")
        if not held:
            out.print(f"[red]no row has the digest {escape(holds)}[/]: the chain was cut, or written anew")
    if not whole:
        raise typer.Exit(1)
