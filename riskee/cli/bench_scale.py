"""`riskee bench scale`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.bench_live import Supervised, numbers
from riskee.cli.bench_servers import servers
from riskee.cli.console import Json, print_json, print_table

if TYPE_CHECKING:
    from serving.bench.scaling import Scaling

_MEANING = (
    "Events are fewer than quotes where several of a ticker became one; all predictors share the machine with the"
    " servers and the load."
)


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
        _show(measured, f"{tickers:,} tickers, a backlog of {backlog:,} quotes")


def _show(measured: Scaling, title: str) -> None:
    from serving.bench.conditions import measured_on

    rows = (
        (
            str(one.predictors),
            f"{one.done:,} of {one.messages:,}",
            f"{one.missing:,}",
            f"{one.a_second:,}",
            f"{one.cpu_us['predict']:.0f}",
            f"{one.cpu_us['nats']:.0f}",
            "" if one.longest_wait is None else f"{one.longest_wait:.1f} s",
            "" if one.lost is None else f"{one.lost:,}",
        )
        for one in measured.found
    )
    header = (
        "predictors",
        "events",
        "missing",
        "events/s",
        "CPU us/event",
        "of NATS",
        "longest wait, one killed",
        "lost then",
    )
    print_table(title, header, rows)
    machine, (before, after) = measured.machine, measured.machine.load
    where = measured_on(machine, measured.seconds, machine.packages)
    typer.echo(f"{where} load average {before} before and {after} after. {_MEANING}")
