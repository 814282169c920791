"""`riskee up`, step by step. Every step may be repeated; a second `up` only makes sure."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from riskee.cli.board import Board, Task, make_board
from riskee.cli.console import console, print_json
from riskee.cli.downloads import Downloads
from riskee.cli.pipeline import LOG, State, materialise, missing_champions, state
from riskee.cli.runtime import embedded_stack, read_settings
from riskee.errors import FatalError, RiskeeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.embedded.stack import Stack
    from riskee.settings import Settings

FIRST_PREDICTIONS_SECONDS = 90.0
# A live feed may have nothing to say before the session opens.
_LIVE_FEED_SECONDS = 20.0
_BUS_SECONDS = 10.0
_SHOWN = 5
_ASK_SECONDS = 5.0


def bring_up(*, models: bool, json: bool = False) -> None:
    """Start everything, wait until it works, and print where it is; with `json`, what is under way on standard error.

    Raises FatalError naming the step that failed, its cause, its log and what to do next.
    """
    settings = read_settings()
    stack = embedded_stack(settings)
    began = time.monotonic()
    with make_board(error=json) as board, stack.exclusive():
        with _step(board, stack, "Starting the servers") as task:
            stack.start_servers(_telling(task))
        settings = read_settings()  # now with the servers' addresses
        _prepare_servers(board, stack, settings)
        if not models:
            _require_models(settings)
        downloads = Downloads(settings, board)
        try:
            if models:
                _make_models(board, stack, settings, downloads)
            with _step(board, stack, "Starting the services") as task:
                stack.start_services(_telling(task))
            late = _language_model(board, stack, downloads)
        finally:
            downloads.close()
        settings = read_settings()
        predictions = _first_predictions(board, stack, settings)
    seconds = time.monotonic() - began
    if json:
        print_json(_result(stack, settings, predictions, seconds))
    else:
        _print_result(stack, settings, predictions, seconds)
    if late is not None:
        raise late


def _prepare_servers(board: Board, stack: Stack, settings: Settings) -> None:
    from riskee.storage.migrations import migrate

    with _step(board, stack, "Migrating the database", "postgres"):
        migrate(settings.database.url, settings)
    with _step(board, stack, "Creating the streams", "nats"):
        asyncio.run(_ensure_streams(settings))


def _require_models(settings: Settings) -> None:
    """Raise FatalError where a model is missing: the services that need it would never become ready."""
    missing = missing_champions(settings)
    if missing:
        raise FatalError(
            f"--no-models, but this home has no model yet ({', '.join(missing)}): predict cannot start without",
            "run `riskee up` without --no-models once",
        )


def _make_models(board: Board, stack: Stack, settings: Settings, downloads: Downloads) -> None:
    found = state(settings)
    if found is State.COMPLETE:
        return
    with _step(board, stack, "Loading history, training models", LOG) as task:
        task.tell("waiting for the history to be fetched")
        downloads.wait_for_data()
        materialise(settings, stack.log_path(LOG), task, only_if_needed=found is State.OTHER_VERSION)


async def _ensure_streams(settings: Settings) -> None:
    from riskee.storage.bus import Bus

    bus = await Bus.connect(settings.nats, "up", timeout=_BUS_SECONDS)
    try:
        await bus.ensure_streams()
    finally:
        await bus.close()


def _language_model(board: Board, stack: Stack, downloads: Downloads) -> RiskeeError | None:
    """Wait for the weights. Without them everything else works, so the failure is told at the end."""
    try:
        with _step(board, stack, "Waiting for the language model"):
            downloads.wait_for_weights()
    except RiskeeError as error:
        return FatalError(
            f"{error.cause}\neverything else runs; explanations come from the template until it is there", error.remedy
        )
    return None


def _first_predictions(board: Board, stack: Stack, settings: Settings) -> list[dict[str, Any]]:
    """The first fresh predictions that the API serves; where none came in time, stale ones or none."""
    seen: list[dict[str, Any]] = []
    with _step(board, stack, "Waiting for the first predictions", "predict") as task:
        replays = settings.feed.kind == "replay"
        deadline = time.monotonic() + (FIRST_PREDICTIONS_SECONDS if replays else _LIVE_FEED_SECONDS)
        while time.monotonic() < deadline:
            try:
                seen = _look(settings, task, deadline) or seen
            except FatalError as error:
                # Without a key nothing can be seen, however long one waits.
                task.tell(f"{error.cause}: {error.remedy}")
                break
            except RiskeeError as error:
                task.tell(error.cause)
            if seen and not _is_stale(seen[0]):
                break
            time.sleep(1.0)
    return seen


def _look(settings: Settings, task: Task, deadline: float) -> list[dict[str, Any]]:
    """A few predictions: fresh ones, or stale ones where there are no others. Not every ticker has one."""
    from riskee.cli.api import get

    fresh: list[dict[str, Any]] = []
    stale: list[dict[str, Any]] = []
    for ticker in (one["ticker"] for one in get(settings, "/v1/tickers", _ASK_SECONDS) if not one["is_index"]):
        if len(fresh) == _SHOWN or time.monotonic() > deadline:
            break
        try:
            prediction = get(settings, f"/v1/predict/{ticker}", _ASK_SECONDS)
        except RiskeeError as error:
            task.tell(error.cause)
        else:
            (stale if _is_stale(prediction) else fresh).append(prediction)
    return fresh or stale[:_SHOWN]


def _is_stale(prediction: dict[str, Any]) -> bool:
    from riskee.messaging.statuses import Status, meaning_of

    return meaning_of[Status(prediction["status"])].last_known


def _result(stack: Stack, settings: Settings, predictions: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    from riskee.access.exposure import is_open
    from riskee.cli.api import base_url

    return {
        "seconds": round(seconds, 1),
        "home": str(stack.home),
        "page": f"{base_url(settings)}/",
        "api": f"{base_url(settings)}/v1",
        "stream": f"{base_url(settings, 'ws')}/v1/stream",
        "dagster": settings.dagster.url,
        "open": is_open(settings),
        "ports": {name: port for name, _usual, port in stack.moved_ports()},
        "predictions": predictions,
    }


def _print_result(stack: Stack, settings: Settings, predictions: list[dict[str, Any]], seconds: float) -> None:
    from rich.markup import escape

    from riskee.access.exposure import is_open
    from riskee.cli.api import base_url
    from riskee.cli.predictions import percent

    out = console()
    out.print(f"\n[bold green]Riskee runs[/] [dim](ready in {seconds:.0f} s, data in {escape(str(stack.home))})[/]\n")
    if predictions:
        feed = predictions[0]["feed"]
        told = " (a replay of real prices)" if feed.startswith("replay") else ""
        title = "[yellow]Only stale predictions yet[/]" if _is_stale(predictions[0]) else "First predictions"
        out.print(f"{title}, from feed {escape(feed)}{told}:")
    for p in predictions:
        out.print(
            f"  [bold]{escape(p['ticker']):<6}[/] {p['price']:>9.2f}  next close {p['predicted_price']:>9.2f} "
            f"{percent(p['expected_return'])}  P(up) {p['p_up']:.1%}  [dim]{p['data_time'][:16].replace('T', ' ')}[/]"
        )
    if not predictions and settings.feed.kind == "replay":
        out.print("[yellow]No prediction came yet:[/] see `riskee doctor` and `riskee logs predict`.")
    elif not predictions:
        out.print(
            f"[yellow]The feed {settings.feed.kind} has given nothing to predict yet:[/] it may be that no session is "
            "open, or see `riskee logs ingest`."
        )
    api = base_url(settings)
    out.print(f"\n  live page  {api}/")
    out.print(
        f"  API        {api}/v1/predict/AAPL   docs at {api}/docs   WebSocket {base_url(settings, 'ws')}/v1/stream"
    )
    access = "open to everybody on this machine" if is_open(settings) else "by key or token: `riskee keys create`"
    out.print(f"  access     {access} [dim](docs/security.md)[/]")
    out.print(f"  Dagster    {settings.dagster.url}")
    moved = ", ".join(f"{name} {port}" for name, _usual, port in stack.moved_ports())
    if moved:
        out.print(f"  ports      {moved} [dim](not the usual ones)[/]")
    out.print(
        "\nNext: [bold]riskee watch[/], [bold]riskee explain AAPL[/], [bold]riskee status[/], [bold]riskee down[/]"
    )


@contextmanager
def _step(board: Board, stack: Stack, title: str, log: str = "") -> Iterator[Task]:
    """A task whose failure says which step it was and where its log is."""
    try:
        with board.task(title) as task:
            yield task
    except RiskeeError as error:
        raise FatalError(_failure(title, error, stack.log_path(log) if log else None), _next(error)) from error


def _failure(title: str, error: RiskeeError, log: Path | None) -> str:
    first, *rest = error.cause.splitlines()
    if log is not None and log.exists() and str(log) not in error.cause:
        rest.append(f"log: {log}")
    return "\n".join([f"{title} failed: {first}", *rest])


def _next(error: RiskeeError) -> str:
    return error.remedy or "`riskee doctor` shows what is wrong; then run `riskee up` again"


def _telling(task: Task) -> Any:
    return lambda name, message: task.tell(f"{name}: {message}")
