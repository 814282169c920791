"""What the commands that import say of what became of the rows, and of what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from riskee.cli.console import console

if TYPE_CHECKING:
    from riskee.market.importing import ImportReport
    from riskee.market.references import ReferenceReport


def summary(report: ImportReport) -> dict[str, Any]:
    """The report as data."""
    return {
        "source": report.source, "rows_read": report.rows_read, "rows_accepted": report.rows_accepted,
        "rows_quarantined": report.rows_quarantined, "quarantined": report.quarantined, "flags": report.flags,
        "notes": report.notes, "new": report.bars.new, "changed": report.bars.changed,
        "unchanged": report.bars.unchanged, "tickers": report.tickers, "first": report.first, "last": report.last,
    }  # fmt: skip


def print_report(report: ImportReport) -> None:
    """What became of bars."""
    typer.echo(
        f"{report.source}: {report.rows_read:,} rows read, {report.rows_accepted:,} accepted of {report.tickers} "
        f"tickers, {report.first} to {report.last}"
    )
    bars = report.bars
    typer.echo(f"  {bars.new:,} new bars, {bars.changed:,} corrected, {bars.unchanged:,} known already")
    _print_odd(report)


def print_reference(report: ReferenceReport) -> None:
    """What became of what is known beside bars. Read and doubled rows are those stored, quarantined and passed over."""
    doubled = f", {report.rows_doubled:,} of them once more under a former ticker" if report.rows_doubled else ""
    typer.echo(f"{report.source}: {report.rows_read:,} rows read{doubled}; {report.rows_stored:,} stored")
    _print_odd(report)


def print_next(*, embedded: bool) -> None:
    """What brings the features and models up to date where the command did not."""
    typer.echo("Next: `riskee backfill` computes the features, then `riskee models retrain` trains on them.")
    if not embedded:
        typer.echo("Restart predict and ingest before: they hold the bars as they were.")


def _print_odd(report: ImportReport | ReferenceReport) -> None:
    out = console()
    if report.quarantined:
        out.print(f"  [yellow]{sum(report.quarantined.values()):,} rows in quarantine[/] (table `quarantine`):")
    for reason, count in report.quarantined.items():
        typer.echo(f"    {count:>8,}  {reason}")
    if report.flags:
        out.print("  [yellow]stored, but odd[/] (`riskee data show --findings`):")
    for kind, count in report.flags.items():
        typer.echo(f"    {count:>8,}  {kind}")
    for note in report.notes:
        typer.echo(f"  {note}")


def print_load(predictions: int | None, session_seconds: float) -> None:
    """How many predictions a day will be stored; nothing where there is no replay."""
    if predictions is not None:
        typer.echo(
            f"The replay will store about {predictions:,} predictions a day at {session_seconds:g} s a session; "
            "a larger RISKEE_FEED__REPLAY__SESSION_SECONDS, then `riskee up`, slows it."
        )
