"""`riskee data show`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.completion import tickers
from riskee.cli.console import Json, print_json, print_table
from riskee.cli.runtime import read_settings, with_database
from riskee.errors import FatalError, NotFoundError

if TYPE_CHECKING:
    from riskee.settings import Settings
    from riskee.storage.bars import KnownBar
    from riskee.storage.membership import Survivorship

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
_BARS = 20


def show(
    ticker: Annotated[
        str | None, typer.Argument(help="Show this ticker's bars.", show_default=False, autocompletion=tickers)
    ] = None,
    findings: Annotated[bool, typer.Option("--findings", help="Show what is odd in the bars.")] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE",
            formats=_FORMATS,
            help="A ticker's bars as known then (UTC), such as 2012-03-01, which means its end, or 2012-03-01T14:30. "
            "Without it: now.",
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--bars", metavar="N", min=1, help="How many of a ticker's bars, the last ones. Without it: 20."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what history the database has by ticker, what was imported, why rows were refused, and what is odd."""
    for option, value in (("--as-of", as_of), ("--bars", count)):
        if value is not None and (findings or ticker is None):
            raise FatalError(
                f"{option} is for a ticker's bars", "such as `riskee data show AAPL --bars 5 --as-of 2012-03-01`"
            )
    settings = read_settings()
    if findings:
        _show_findings(settings, ticker, json=json)
    elif ticker is not None:
        _show_bars(settings, ticker, as_of, count or _BARS, json=json)
    else:
        _show_all(settings, json=json)


def _show_all(settings: Settings, *, json: bool) -> None:
    from riskee.storage.findings import count_findings
    from riskee.storage.imports import read_imports
    from riskee.storage.membership import read_survivorship
    from riskee.storage.quarantine import count_by_reason
    from riskee.storage.tickers import summaries

    market = settings.model.market_ticker
    rows = with_database(settings, summaries)
    imports = with_database(settings, read_imports)
    refused = with_database(settings, count_by_reason)
    odd = with_database(settings, count_findings)
    survivorship = with_database(settings, lambda connection: read_survivorship(connection, market))
    if json:
        reasons = [{"origin": origin, "reason": reason, "rows": n} for (origin, reason), n in refused.items()]
        told = {"tickers": rows, "imports": imports, "quarantine": reasons}
        print_json(told | {"findings": odd, "survivorship": survivorship})
        return
    cells = (
        (r.ticker, r.name, r.first, r.last, f"{r.bars:,}", r.versions - r.bars, r.quarantined, ", ".join(r.sources))
        for r in rows
    )
    header = ("ticker", "name", "first", "last", "bars", "corrected", "refused", "sources")
    print_table("", header, cells, whole=header[2:7])
    made = (
        (f"{i.imported_at:%Y-%m-%d %H:%M}", i.file_name, i.rows_read, i.rows_accepted, i.rows_quarantined)
        for i in imports
    )
    print_table("Imports", ("at (UTC)", "file", "read", "accepted", "refused"), made)
    if refused:
        print_table("Quarantine", ("from", "reason", "rows"), ((*key, n) for key, n in refused.items()))
    if odd:
        print_table("Findings (each: `riskee data show --findings`)", ("kind", "findings"), odd.items())
    typer.echo(f"{len(rows)} tickers, {sum(row.bars for row in rows):,} daily bars")
    if survivorship is not None:
        _print_survivorship(market, survivorship)


def _print_survivorship(index: str, found: Survivorship) -> None:
    typer.echo(
        f"Of {index}'s members have bars: {found.members_first_with_bars} of {found.members_first} on {found.first}, "
        f"{found.members_last_with_bars} of {found.members_last} on {found.last}. Of all {found.members} between, "
        f"{found.members_without_bars} have none: results on these {found.tickers} tickers are those of survivors."
    )


def _show_findings(settings: Settings, ticker: str | None, *, json: bool) -> None:
    from riskee.storage.findings import read_findings

    found = with_database(settings, lambda connection: read_findings(connection, ticker))
    if json:
        print_json(found)
        return
    cells = ((one.kind, one.ticker, one.session, one.detail, one.source, f"{one.found_at:%Y-%m-%d}") for one in found)
    print_table(
        "", ("kind", "ticker", "session", "what", "source", "found"), cells, whole=("ticker", "session", "found")
    )
    typer.echo(f"{len(found):,} findings; the rows are stored as they came")


def _show_bars(settings: Settings, ticker: str, as_of: datetime | None, count: int, *, json: bool) -> None:
    from riskee.clock import SystemClock
    from riskee.storage.bars import known_bars

    known = SystemClock().now() if as_of is None else _moment(as_of)
    bars = with_database(settings, lambda connection: known_bars(connection, ticker, known, count))
    if not bars:
        raise NotFoundError(
            f"no bar of {ticker} was known at {known:%Y-%m-%d %H:%M} UTC", "`riskee data show` lists the tickers"
        )
    if json:
        print_json(bars)
        return
    newest = bars[-1].adjustment_factor
    cells = (
        (
            b.session, *(f"{price:.2f}" for price in (b.open, b.high, b.low, b.close)), f"{b.volume:,.0f}",
            f"{b.close * b.adjustment_factor / newest:.2f}", _besides(b),
        )
        for b in bars
    )  # fmt: skip
    header = ("session", "open", "high", "low", "close", "volume", "adjusted", "besides")
    print_table("", header, cells, whole=header[1:7])
    sources = ", ".join(sorted({bar.source for bar in bars}))
    typer.echo(
        f"{ticker} as known at {known:%Y-%m-%d %H:%M} UTC, from {sources}; adjusted: the close as seen from "
        "the last of these bars"
    )


def _besides(bar: KnownBar) -> str:
    """What few bars have: a dividend, a split, and since when a correction is known."""
    told = {
        f"dividend {bar.dividend:g}": bar.dividend,
        f"split {bar.split:g}": bar.split != 1,
        f"version {bar.version}, known at {bar.known_at:%Y-%m-%d %H:%M}": bar.version > 1,
    }
    return ", ".join(words for words, true in told.items() if true)


def _moment(as_of: datetime) -> datetime:
    """The moment that was meant, in UTC: a date is over at its end."""
    moment = as_of.replace(tzinfo=UTC)
    return moment if as_of.hour or as_of.minute or as_of.second else moment + timedelta(days=1)
