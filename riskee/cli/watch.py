"""`riskee watch`."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.completion import predicted
from riskee.cli.console import Json, console
from riskee.cli.predictions import percent

if TYPE_CHECKING:
    from rich.table import Table

    from riskee.settings import Settings

# Narrow enough for 80 columns with the flags that only some rows have.
_NUMBERS = ("price", "next close", "expected", "P(up)", "80% within")
# What the stream says of a prediction beside itself.
_OF_A_PREDICTION = ("type", "snapshot", "status", "status_since")
# Flags that the API adds to a number that it sends again; the status messages say when they hold no longer.
_TOLD_APART = {"predict_silent", "feed_mute"}


def watch(
    tickers: Annotated[
        list[str] | None,
        typer.Argument(help="Tickers; all when left out.", show_default=False, autocompletion=predicted),
    ] = None,
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
    """What the API's WebSocket says, for ever: each prediction with its status, and each status that changed; `type`
    tells them apart.

    A connection that breaks is made anew, and standard error says so. Raises as `Follower.messages`.
    """
    from riskee.cli.stream import Follower

    for message in Follower(settings, tickers, _tell).messages():
        if message["type"] == "prediction":
            yield {key: message[key] for key in _OF_A_PREDICTION} | message["prediction"]
        elif message["type"] == "status":
            yield message


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _print_lines(updates: Iterator[dict[str, Any]], *, json: bool) -> None:
    import json as codec

    for update in updates:
        typer.echo(codec.dumps(update) if json else _line(update))


def _line(update: dict[str, Any]) -> str:
    if update["type"] == "status":
        return f"{update['since']} {', '.join(update['tickers']) or 'all'}: {update['status']}: {update['meaning']}"
    p = update
    standing = "" if p["status"] == "ok" else f" {p['status']}"
    return (
        f"{p['data_time']} {p['ticker']} {p['price']:.2f} -> {p['predicted_price']:.2f} P(up) {p['p_up']:.3f}{standing}"
    )


def _draw_table(updates: Iterator[dict[str, Any]]) -> None:
    from rich.live import Live

    shown = Shown()
    with Live("waiting for the first prediction …", auto_refresh=False, screen=False) as live:
        for update in updates:
            shown.take(update)
            live.update(table(shown.numbers(), shown.standing), refresh=True)


class Shown:
    """The latest prediction of each ticker, and what was said of it since."""

    def __init__(self) -> None:
        self.standing: dict[str, Any] = {"status": "ok", "since": "0001-01-01T00:00:00Z"}
        self._latest: dict[str, dict[str, Any]] = {}
        self._standing: dict[str, dict[str, Any]] = {}
        self._happened: dict[str, str] = {}

    def take(self, update: dict[str, Any]) -> None:
        """Take what the stream says: a prediction, or where numbers stand."""
        if update["type"] == "prediction":
            self._latest[update["ticker"]] = update
            self._happened.pop(update["ticker"], None)
        elif not update["standing"]:
            self._happened.update(dict.fromkeys(update["tickers"], update["status"]))
        elif update["tickers"]:
            self._standing.update(dict.fromkeys(update["tickers"], update))
        else:
            self.standing, self._standing = update, {}

    def numbers(self) -> dict[str, dict[str, Any]]:
        """The predictions, each with all flags that hold now."""
        return {ticker: self._flagged(ticker, p) for ticker, p in self._latest.items()}

    def _flagged(self, ticker: str, prediction: dict[str, Any]) -> dict[str, Any]:
        standing = self._standing.get(ticker, self.standing)
        found = [self._happened[ticker]] if ticker in self._happened else []
        if standing["status"] != "ok":
            found.append(standing["status"])
        elif _moment(prediction["prediction_time"]) < _moment(standing["since"]):
            found.append("stale")
        own = [flag for flag in prediction["flags"] if flag not in _TOLD_APART]
        return prediction | {"flags": list(dict.fromkeys([*own, *found]))}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def table(latest: dict[str, dict[str, Any]], standing: dict[str, Any] | None = None) -> "Table":
    """The latest prediction of each ticker; what all have in common is said once, above."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    common = set.intersection(*(set(p["flags"]) for p in latest.values())) if latest else set()
    drawn = Table(
        title=_heading(latest, common, standing or {}), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    drawn.add_column("ticker", style="bold")
    for name in _NUMBERS:
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("flags", style="yellow")
    for ticker, p in sorted(latest.items()):
        drawn.add_row(
            escape(ticker),
            f"{p['price']:.2f}",
            f"{p['predicted_price']:.2f}",
            percent(p["expected_return"]),
            f"{p['p_up']:.1%}",
            f"{p['interval']['p10']:.2f} … {p['interval']['p90']:.2f}",
            escape(_words(flag for flag in p["flags"] if flag not in common)),
        )
    return drawn


def _heading(latest: dict[str, dict[str, Any]], common: set[str], standing: dict[str, Any]) -> str:
    from rich.markup import escape

    newest = max((p["data_time"] for p in latest.values()), default="")[:16].replace("T", " ")
    feeds = ", ".join(sorted({p["feed"] for p in latest.values()}))
    told = escape(" · ".join(filter(None, (feeds, f"{newest} UTC", _words(sorted(common))))))
    if standing.get("status", "ok") == "ok":
        return told
    since = standing["since"][:19].replace("T", " ")
    return f"[bold yellow]{escape(_words([standing['status']]))} since {since} UTC[/] · {told}"


def _words(flags: Iterable[str]) -> str:
    return ", ".join(flag.replace("_", " ") for flag in flags)
