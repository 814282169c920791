"""`riskee bench scale`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.bench_live import Supervised, numbers
from riskee.cli.bench_servers import servers
from riskee.cli.console import Json, print_json, print_table

if TYPE_CHECKING:
    from serving.bench.scaling import Scaling


def scale(
    predictors: Annotated[str, typer.Option(help="Numbers of predictors, separated by commas.")] = "1,2,4",
    tickers: Annotated[int, typer.Option(min=1, max=9999, help="Size of the market.")] = 5000,
    backlog: Annotated[int, typer.Option(min=1000, help="Quotes of a backlog.")] = 20_000,
    json: Json = False,
) -> None:
    """Let several predictors share a load, and kill one; with servers and predictors of its own."""
    from riskee.storage.database import make_engine
    from serving.bench.rig import Rig
    from serving.bench.scaling import ScaleBench

    counts = numbers(predictors)
    with servers() as (stack, settings):
        engine = make_engine(settings.database.url, 2)
        monitor = f"http://127.0.0.1:{stack.ports['nats-monitor']}"
        rig = Rig(settings, Supervised(stack), monitor, lambda line: typer.echo(line, err=True))
        try:
            measured = ScaleBench(rig, engine, tickers, backlog).run(counts)
        finally:
            engine.dispose()
    if json:
        print_json(measured)
    else:
        show(measured)


def show(measured: Scaling) -> None:
    """Print it as a table."""
    from serving.bench.scale_report import conditions, table

    found = table(measured)
    print_table(found.title, found.header, found.rows)
    typer.echo(conditions(measured))
