"""`riskee predict` and `riskee explain`."""

import math
from typing import Annotated, Any

import typer

from riskee.cli.console import Json, console, print_json

Ticker = Annotated[str, typer.Argument(help="A ticker, such as AAPL.", show_default=False)]
_PREDICT_SECONDS = 10.0
# The API gives up first, and says why.
_MARGIN_SECONDS = 5.0
_BAR = 24


def predict(ticker: Ticker, json: Json = False) -> None:
    """Show the latest prediction of a ticker."""
    from riskee.cli.api import get
    from riskee.cli.runtime import read_settings

    prediction = get(read_settings(), f"/predict/{ticker}", _PREDICT_SECONDS)
    if json:
        print_json(prediction)
        return
    out = console()
    for line in prediction_lines(prediction):
        out.print(line)


def explain(ticker: Ticker, json: Json = False) -> None:
    """Explain the latest prediction, with drivers and sources."""
    from riskee.cli.api import get
    from riskee.cli.runtime import read_settings

    settings = read_settings()
    seconds = settings.api.explain_timeout_seconds + _MARGIN_SECONDS
    with console(error=True).status(f"explaining {ticker.upper()} …"):
        explanation = get(settings, f"/explain/{ticker}", seconds)
    if json:
        print_json(explanation)
        return
    out = console()
    for line in explanation_lines(explanation):
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
    p, interval = prediction, prediction["interval"]
    flags = ", ".join(flag.replace("_", " ") for flag in p["flags"])
    warning = standing_line(p)
    return [
        *([warning] if warning else []),
        f"[bold]{p['ticker']}[/]  {p['price']:.2f}  at {p['data_time']}  [dim]({p['feed']})[/]",
        f"next close  {p['predicted_price']:.2f}  {percent(p['expected_return'])}   P(up) {p['p_up']:.1%}",
        f"80% within  {interval['p10']:.2f} … {interval['p90']:.2f}",
        f"[dim]{p['model_version']}, made {p['as_of']}, status {p['status']}{f'; {flags}' if flags else ''}[/]",
    ]


def explanation_lines(explanation: dict[str, Any]) -> list[str]:
    """An explanation for people: text, drivers as bars, sources, who wrote it."""
    from rich.markup import escape

    lines = [escape(explanation["text"]), "", "[bold]Drivers[/] of the expected return"]
    largest = max((abs(driver["contribution"]) for driver in explanation["drivers"]), default=1.0)
    for driver in explanation["drivers"]:
        share = driver["contribution"]
        bar = "█" * max(1, round(_BAR * abs(share) / largest))
        colour = "green" if share > 0 else "red"
        lines.append(f"  {escape(driver['name']):<36} [{colour}]{bar:<{_BAR}}[/] {percent(share)}")
    lines += ["", "[bold]Sources[/]"]
    for label, source in zip("ABCDEFGHIJ", explanation["sources"], strict=False):
        lines.append(f"  {escape(f'[{label}]')} {escape(source['title'])}")
        lines.append(f"      [dim]{escape(source['source'])}, {source['published_at'][:10]}, {source['collection']}[/]")
    writer = f"written by {explanation['llm']}" if explanation["generator"] == "model" else "written by the template"
    checked = "verified" if explanation["verified"] else "NOT verified"
    return [*lines, "", f"[dim]{writer}, {checked}, {explanation['seconds']:.1f} s; no investment advice[/]"]
