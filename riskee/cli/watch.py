"""`riskee watch`."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.console import Json, console
from riskee.cli.predictions import percent
from riskee.errors import NotFoundError, RetryableError

if TYPE_CHECKING:
    from rich.table import Table

    from riskee.settings import Settings

# Narrow enough for 80 columns with the flags that only some rows have.
_NUMBERS = ("price", "next close", "expected", "P(up)", "80% within")
_CONNECT_SECONDS = 5.0


def watch(
    tickers: Annotated[list[str] | None, typer.Argument(help="Tickers; all when left out.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Watch predictions as they are made; Ctrl-C ends it."""
    from riskee.cli.runtime import read_settings

    settings = read_settings()
    wanted = [ticker.upper() for ticker in tickers or ["*"]]
    updates = stream(settings, wanted)
    try:
        if json or not console().is_terminal:
            _print_lines(updates, json=json)
        else:
            _draw_table(updates)
    except KeyboardInterrupt:
        raise typer.Exit from None


def stream(settings: "Settings", tickers: list[str]) -> Iterator[dict[str, Any]]:
    """Predictions from the API's WebSocket, for ever.

    Raises NotFoundError for an unknown ticker, RetryableError when the API is away or goes away.
    """
    import json

    from websockets.exceptions import ConnectionClosed, InvalidHandshake
    from websockets.sync.client import connect

    from riskee.cli.api import base_url

    url = f"{base_url(settings, 'ws')}/stream"
    try:
        with connect(url, open_timeout=_CONNECT_SECONDS, compression=None) as socket:
            socket.send(json.dumps({"type": "subscribe", "tickers": tickers}))
            for text in socket:
                message = json.loads(text)
                if message["type"] == "error":
                    problem = message["problem"]
                    raise NotFoundError(problem.get("detail", "refused"), problem.get("next_step", ""))
                if message["type"] == "prediction":
                    yield message["prediction"]
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise RetryableError(f"the API at {url} does not answer: {error}", "`riskee up` starts it") from error
    except ConnectionClosed as error:
        raise RetryableError(f"the API closed the stream: {error}", "`riskee status`, then try again") from error
    raise RetryableError("the API closed the stream", "`riskee status`, then try again")


def _print_lines(updates: Iterator[dict[str, Any]], *, json: bool) -> None:
    import json as codec

    for p in updates:
        text = (
            codec.dumps(p)
            if json
            else f"{p['data_time']} {p['ticker']} {p['price']:.2f} -> {p['predicted_price']:.2f} P(up) {p['p_up']:.3f}"
        )
        typer.echo(text)


def _draw_table(updates: Iterator[dict[str, Any]]) -> None:
    from rich.live import Live

    latest: dict[str, dict[str, Any]] = {}
    with Live("waiting for the first prediction …", auto_refresh=False, screen=False) as live:
        for prediction in updates:
            latest[prediction["ticker"]] = prediction
            live.update(table(latest), refresh=True)


def table(latest: dict[str, dict[str, Any]]) -> "Table":
    """The latest prediction of each ticker; what all have in common is said once, above."""
    from rich import box
    from rich.table import Table

    common = set.intersection(*(set(p["flags"]) for p in latest.values())) if latest else set()
    drawn = Table(title=_heading(latest, common), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column("ticker", style="bold")
    for name in _NUMBERS:
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("flags", style="yellow")
    for ticker, p in sorted(latest.items()):
        drawn.add_row(
            ticker,
            f"{p['price']:.2f}",
            f"{p['predicted_price']:.2f}",
            percent(p["expected_return"]),
            f"{p['p_up']:.1%}",
            f"{p['interval']['p10']:.2f} … {p['interval']['p90']:.2f}",
            _words(flag for flag in p["flags"] if flag not in common),
        )
    return drawn


def _heading(latest: dict[str, dict[str, Any]], common: set[str]) -> str:
    newest = max((p["data_time"] for p in latest.values()), default="")[:16].replace("T", " ")
    feeds = ", ".join(sorted({p["feed"] for p in latest.values()}))
    return " · ".join(filter(None, (feeds, f"{newest} UTC", _words(sorted(common)))))


def _words(flags: Iterable[str]) -> str:
    return ", ".join(flag.replace("_", " ") for flag in flags)
