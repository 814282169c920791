"""`riskee bench live`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.bench_servers import servers
from riskee.cli.console import Json, print_json, print_table
from riskee.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.embedded.stack import Stack
    from serving.bench.options import Options
    from serving.bench.result import Measured


def live(  # noqa: PLR0913, PLR0917 (each is an option)
    tickers: Annotated[str, typer.Option(help="Sizes of the market, separated by commas.")] = "100,1000,5000",
    rates: Annotated[str, typer.Option(help="Quotes a second, separated by commas.")] = "100,1000,5000",
    seconds: Annotated[float, typer.Option(min=1, help="Length of one load.")] = 10.0,
    repeats: Annotated[int, typer.Option(min=1, help="How often each load is repeated; medians count.")] = 3,
    only: Annotated[str, typer.Option(help="Parts to measure, separated by commas; without, all.")] = "",
    backlog: Annotated[int, typer.Option(min=1000, help="Quotes of a backlog.")] = 80_000,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smoke test of a minute; of the other options none counts.")
    ] = False,
    json: Json = False,
) -> None:
    """Load the live path and measure it against a bare floor; with servers and processes of its own."""
    from serving.bench.options import PARTS, QUICK, Options

    unknown = set(_words(only)) - set(PARTS)
    if unknown:
        raise FatalError(f"there is no part {', '.join(sorted(unknown))}", f"there are {', '.join(PARTS)}")
    options = Options(
        tickers=numbers(tickers),
        rates=numbers(rates),
        seconds=seconds,
        repeats=repeats,
        backlog=backlog,
        only=tuple(part for part in PARTS if part in _words(only) or not only),
    )
    measured = _measure(QUICK if quick else options)
    if json:
        print_json(measured)
    else:
        show(measured)


def show(measured: Measured) -> None:
    """Print it as tables."""
    from serving.bench.report import conditions, tables

    for table in tables(measured):
        print_table(table.title, table.header, table.rows)
        if table.note:
            typer.echo(f"{table.note}\n")
    typer.echo(conditions(measured))


def _measure(options: Options) -> Measured:
    from riskee.storage.database import make_engine
    from serving.bench.live import LiveBench
    from serving.bench.rig import Rig

    with servers() as (stack, settings):
        engine = make_engine(settings.database.url, 2)
        monitor = f"http://127.0.0.1:{stack.ports['nats-monitor']}"
        rig = Rig(settings, Supervised(stack), monitor, lambda line: typer.echo(line, err=True))
        try:
            return LiveBench(rig, engine, options).run()
        finally:
            engine.dispose()


class Supervised:
    """The stack's processes, as a measurement starts and stops them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def start(self, *names: str) -> None:
        self._stack.start_services(names=names)

    def stop(self, *names: str) -> None:
        self._stack.stop_services(*names)

    def pids(self) -> Mapping[str, int]:
        return {process.name: process.pid for process in self._stack.status() if process.pid}


def _words(listed: str) -> list[str]:
    return [word.strip() for word in listed.split(",") if word.strip()]


def numbers(listed: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(word) for word in _words(listed))
    except ValueError as error:
        raise FatalError(f"{listed!r} is no list of numbers", "write it as 100,1000") from error
    if not numbers or min(numbers) < 1 or max(numbers) > 9999:
        raise FatalError(f"{listed!r} has a number that is not from 1 to 9999", "write it as 100,1000")
    return numbers
