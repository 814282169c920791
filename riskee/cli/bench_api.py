"""`riskee bench api`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.bench_live import Supervised
from riskee.cli.bench_servers import servers
from riskee.cli.console import Json, print_json, print_table
from riskee.cli.runtime import read_settings

if TYPE_CHECKING:
    from serving.bench.api_result import ApiMeasured, ApiOptions


def api(
    tickers: Annotated[int, typer.Option(min=1, max=9999, help="Size of the market, and of the batch.")] = 5000,
    seconds: Annotated[float, typer.Option(min=1, help="Length of one load.")] = 5.0,
    repeats: Annotated[int, typer.Option(min=1, help="How often each load is repeated; medians count.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smoke test of half a minute; of the other options none counts.")
    ] = False,
    json: Json = False,
) -> None:
    """Load the API with wrk and measure it against a bare route; with servers and processes of its own."""
    from serving.bench.api_result import QUICK, ApiOptions

    measured = _measure(QUICK if quick else ApiOptions(tickers=tickers, seconds=seconds, repeats=repeats))
    if json:
        print_json(measured)
    else:
        show(measured)


def show(measured: ApiMeasured) -> None:
    """Print it as tables."""
    from serving.bench.api_report import conditions, tables

    for table in tables(measured):
        print_table(table.title, table.header, table.rows)
    typer.echo(conditions(measured))


def _measure(options: ApiOptions) -> ApiMeasured:
    from riskee.storage.database import make_engine
    from serving.bench.api import ApiBench
    from serving.bench.rig import Rig
    from serving.bench.wrk import find_wrk

    wrk = find_wrk(read_settings().home / "tools")
    with servers() as (stack, settings):
        engine = make_engine(settings.database.url, 2)
        monitor = f"http://127.0.0.1:{stack.ports['nats-monitor']}"
        rig = Rig(settings, Supervised(stack), monitor, lambda line: typer.echo(line, err=True))
        try:
            return ApiBench(rig, engine, options, wrk).run()
        finally:
            engine.dispose()
