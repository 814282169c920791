"""`riskee up`, `down` and `status`."""

from typing import Annotated

import typer

from riskee.cli.console import Json, console, print_json, print_table, styled
from riskee.cli.runtime import embedded_stack, read_settings

_COLOURS = {"RUNNING": "green", "STARTING": "yellow", "STOPPED": "dim", "BACKOFF": "red", "FATAL": "red"}


def up(
    models: Annotated[bool, typer.Option(help="Load history, train models, materialise assets if needed.")] = True,
    json: Json = False,
) -> None:
    """Start everything and wait until it works."""
    from riskee.cli.up import bring_up

    bring_up(models=models, json=json)


def down(json: Json = False) -> None:
    """Stop everything; the data stays."""
    from riskee.cli.board import make_board

    stack = embedded_stack(read_settings())
    ran = stack.running
    if ran:
        with make_board(error=json) as board, board.task("Stopping") as task:
            stack.stop(lambda name, message: task.tell(f"{name}: {message}"))
    if json:
        print_json({"stopped": ran, "home": str(stack.home)})
    else:
        typer.echo(f"stopped; the data stays in {stack.home}" if ran else "nothing is running")


def status(json: Json = False) -> None:
    """Show every process; exit code 3 when one is down."""
    stack = embedded_stack(read_settings())
    processes = stack.status()
    if json:
        print_json(processes)
    elif not processes:
        console().print("nothing was started yet; [bold]riskee up[/] starts it")
    else:
        rows = (
            (
                p.name,
                styled(p.state.lower(), _COLOURS.get(p.state, "yellow")),
                p.pid,
                _age(p.uptime_seconds),
                p.restarts,
                p.port,
                _detail(p.state, p.detail),
            )
            for p in processes
        )
        print_table("", ("process", "state", "pid", "uptime", "restarts", "port", ""), rows)
    if not processes or any(process.state != "RUNNING" for process in processes):
        raise typer.Exit(3)


def _detail(state: str, detail: str) -> str:
    """Of a running process supervisord repeats only pid and uptime."""
    return "" if state == "RUNNING" else detail


def _age(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if not seconds:
        return ""
    return f"{hours}h{minute:02}m" if hours else f"{minute}m{second:02}s"
