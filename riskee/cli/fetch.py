"""`riskee data fetch`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.console import Json
from riskee.cli.data import Run, bring_in
from riskee.cli.days import FromDay, ToDay, days
from riskee.cli.runtime import open_engine, read_settings

if TYPE_CHECKING:
    from riskee.market.fetching import Fetched, Plan
    from riskee.settings import Settings


class VendorName(StrEnum):
    """Who is asked."""

    YAHOO = "yahoo"
    ALPACA = "alpaca"


def fetch(
    vendor: Annotated[VendorName, typer.Argument(help="Whom to ask.", show_default=False)],
    tickers: Annotated[
        list[str] | None, typer.Argument(help="Such as AAPL BRK.B; none: RISKEE_DATA__TICKERS.", show_default=False)
    ] = None,
    start: FromDay = None,
    end: ToDay = None,
    run: Run = True,
    json: Json = False,
) -> None:
    """Fetch price history from a vendor; rows that cannot be right go to quarantine.

    Without --from on from each ticker's newest bar, without --to to the last session.
    """
    from riskee.clock import SystemClock
    from riskee.market.fetching import make_plan
    from riskee.market.importing import import_bars

    settings, clock, (first, last) = read_settings(), SystemClock(), days(start, end)
    wanted = [ticker.upper() for ticker in tickers or settings.data.tickers]
    with open_engine(settings) as engine:
        plan = make_plan(engine, settings, clock, wanted, first, last)
        # Before anything is held for the import: vendors are slow.
        fetched = _download(settings, vendor, plan, json=json)
        bring_in(
            settings,
            f"Importing what {vendor} gave",
            lambda progress: import_bars(engine, fetched, clock, progress),
            run=run,
            json=json,
        )
    if fetched.failure is not None:
        raise fetched.failure


def _download(settings: Settings, vendor: VendorName, plan: Plan, *, json: bool) -> Fetched:
    from riskee.cli.board import make_board
    from riskee.clock import SystemClock
    from riskee.market.fetching import download

    with make_board(error=json) as board, board.task(f"Fetching {len(plan.first)} tickers from {vendor}") as task:
        return download(settings, SystemClock(), vendor.value, plan, task.advance)
