"""`riskee explain`."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from riskee.cli.completion import predicted
from riskee.cli.console import Json, console, print_json
from riskee.cli.explaining import ask
from riskee.cli.predictions import percent
from riskee.errors import FatalError

if TYPE_CHECKING:
    from riskee.settings import Settings

_GET_SECONDS = 10.0
_BAR = 24


def explain(
    ticker: Annotated[
        str, typer.Argument(help="A ticker, such as AAPL.", show_default=False, autocompletion=predicted)
    ] = "",
    prediction: Annotated[
        UUID | None,
        typer.Option("--id", help="The id of a past prediction, in place of a ticker.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Explain a prediction, with drivers and sources."""
    from riskee.cli.api import base_url
    from riskee.cli.runtime import read_settings

    if bool(ticker) == (prediction is not None):
        raise FatalError("what is to be explained?", "give a ticker, or a prediction by --id, not both")
    settings = read_settings()
    if prediction:
        explanation = _past(settings, str(prediction), show=not json)
    else:
        explanation = ask(settings, ticker=ticker.upper(), show=not json)
    if json:
        print_json(explanation)
        return
    out = console()
    for line in explanation_lines(explanation, base_url(settings)):
        out.print(line)


def _past(settings: "Settings", prediction: str, *, show: bool) -> Any:
    """The explanation of a past prediction: the one that was given, else one that is made now."""
    from riskee.cli.api import NotExplainedError, get

    try:
        return get(settings, f"/v1/explain/{prediction}", _GET_SECONDS)
    except NotExplainedError as error:
        return ask(settings, ticker=error.ticker, prediction=prediction, show=show)


# What `fallback` says, in words.
FALLBACKS = {
    "late": "the language model was too slow",
    "resting": "the language model failed several times in a row and is left alone for a minute",
    "busy": "too many explanations are waiting for the language model",
    "away": "the language model does not answer",
    "garbled": "the language model wrote nothing that can be read",
    "refused": "too little of what the language model wrote held",
}


def explanation_lines(explanation: dict[str, Any], api: str) -> list[str]:
    """An explanation for people: text, drivers as bars, sources, who wrote it. `api`: where its own documents are."""
    from rich.markup import escape

    lines = [escape(explanation["text"]), "", "[bold]Drivers[/] of the expected return"]
    # Where nothing drove it, all are 0.
    largest = max((abs(driver["contribution"]) for driver in explanation["drivers"]), default=0.0) or 1.0
    for driver in explanation["drivers"]:
        share = driver["contribution"]
        bar = "█" * max(1, round(_BAR * abs(share) / largest))
        colour = "green" if share > 0 else "red"
        shown = f"  [dim]{escape(driver['label'])}: {escape(driver['shown'])}[/]" if driver.get("shown") else ""
        lines.append(f"  {escape(driver['name']):<36} [{colour}]{bar:<{_BAR}}[/] {percent(share)}{shown}")
    lines += ["", "[bold]Sources[/]"]
    for label, source in zip("ABCDEFGHIJ", explanation["sources"], strict=False):
        lines.append(f"  {escape(f'[{label}]')} {escape(source['title'])}")
        url = source.get("url") or ""
        where = f", {escape(api + url if url.startswith('/') else url)}" if url else ""
        origin = f"{source['source']}, {source['published_at'][:10]}, {source['collection']}"
        lines.append(f"      [dim]{escape(origin)}{where}[/]")
    return [*lines, "", f"[dim]{escape(_origin(explanation))}; no investment advice[/]"]


def _origin(explanation: dict[str, Any]) -> str:
    """Who wrote it, from how many tokens, and what of it was thrown away."""
    e = explanation
    written = f"written by {e['llm']}" if e["generator"] == "model" else f"written by the template{_because(e)}"
    checked = "verified" if e["verified"] else "NOT verified"
    tokens = f", {e['tokens_in']} tokens read and {e['tokens_out']} written" if e.get("tokens_out") else ""
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(e.get("dropped", {}).items()))
    dropped = f", sentences dropped: {reasons}" if reasons else ""
    return f"{written}, {checked}, {e['seconds']:.1f} s{tokens}{dropped}, prompt {e.get('prompt_version', '')}"


def _because(explanation: dict[str, Any]) -> str:
    """Why the language model did not write it; of an explanation of before, nobody knows."""
    why = explanation.get("fallback")
    return f" ({FALLBACKS.get(why, why)})" if why else ""
