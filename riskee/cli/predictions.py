"""`riskee predict`."""

import math
from typing import Annotated, Any

import typer

from riskee.cli.completion import predicted
from riskee.cli.console import Json, console, print_json

Ticker = Annotated[str, typer.Argument(help="A ticker, such as AAPL.", show_default=False, autocompletion=predicted)]
_PREDICT_SECONDS = 10.0


def predict(ticker: Ticker, json: Json = False) -> None:
    """Show the latest prediction of a ticker."""
    from riskee.cli.api import get
    from riskee.cli.runtime import read_settings

    prediction = get(read_settings(), f"/v1/predict/{ticker}", _PREDICT_SECONDS)
    if json:
        print_json(prediction)
        return
    out = console()
    for line in prediction_lines(prediction):
        out.print(line)


def percent(log_return: float) -> str:
    """A log return as a signed percentage, coloured by its sign."""
    colour = "green" if log_return > 0 else "red" if log_return < 0 else "dim"
    return f"[{colour}]{math.expm1(log_return):+.2%}[/]"


def standing_line(prediction: dict[str, Any]) -> str:
    """What is to be known before a number is read that is the last one known, not a current one; else nothing."""
    from riskee.messaging.statuses import Status, meaning_of

    meaning = meaning_of[Status(prediction["status"])]
    if not meaning.last_known:
        return ""
    since = prediction.get("status_since")
    held = f" since {since[:19].replace('T', ' ')} UTC" if since else ""
    return f"[bold yellow]last known: {meaning.status.replace('_', ' ')}{held}[/] [yellow]{meaning.text}[/]"


def prediction_lines(prediction: dict[str, Any]) -> list[str]:
    """A prediction for people."""
    from rich.markup import escape

    p, interval = prediction, prediction["interval"]
    flags = ", ".join(flag.replace("_", " ") for flag in p["flags"])
    made = f"{p['model_version']}, made {p['as_of']}, status {p['status']}{f'; {flags}' if flags else ''}"
    warning = standing_line(p)
    return [
        *([warning] if warning else []),
        f"[bold]{escape(p['ticker'])}[/]  {p['price']:.2f}  at {p['data_time']}  [dim]({escape(p['feed'])})[/]",
        f"next close  {p['predicted_price']:.2f}  {percent(p['expected_return'])}   P(up) {p['p_up']:.1%}",
        f"80% within  {interval['p10']:.2f} … {interval['p90']:.2f}",
        f"[dim]{escape(made)}[/]",
    ]
