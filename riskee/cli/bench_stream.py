"""`riskee bench stream`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.bench_live import Supervised
from riskee.cli.bench_servers import servers
from riskee.cli.console import Json, print_json, print_table

if TYPE_CHECKING:
    from serving.bench.stream_result import StreamMeasured, StreamOptions


def stream(
    clients: Annotated[int, typer.Option(min=1, max=60_000, help="Clients of one process.")] = 5000,
    rate: Annotated[int, typer.Option(min=1, help="Deliveries a second, to all clients together.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=1, help="Length of one load.")] = 20.0,
    deaf: Annotated[int, typer.Option(min=0, help="Clients that never read, in the last load.")] = 20,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smoke test of half a minute; of the other options none counts.")
    ] = False,
    json: Json = False,
) -> None:
    """Stream to thousands of clients beside a bare broadcast; with servers and processes of its own.

    Server and clients need a file descriptor for each connection: see `ulimit -n`.
    """
    from serving.bench.stream_result import QUICK, StreamOptions

    options = StreamOptions(clients=clients, rate=rate, seconds=seconds, deaf=deaf)
    measured = _measure(QUICK if quick else options)
    if json:
        print_json(measured)
    else:
        show(measured)


def show(measured: StreamMeasured) -> None:
    """Print it as tables."""
    from serving.bench.stream_report import conditions, tables

    for table in tables(measured):
        print_table(table.title, table.header, table.rows)
    typer.echo(conditions(measured))


def _measure(options: StreamOptions) -> StreamMeasured:
    from riskee.storage.database import make_engine
    from serving.bench.stream import StreamBench

    with servers() as (stack, settings):
        engine = make_engine(settings.database.url, 2)
        nats = Supervised(stack).pids()["nats"]
        try:
            return StreamBench(settings, engine, options, nats, lambda line: typer.echo(line, err=True)).run()
        finally:
            engine.dispose()
