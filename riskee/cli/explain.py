"""`riskee explain`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.console import Json, console, print_json
from riskee.cli.predictions import percent
from riskee.errors import FatalError, NotFoundError

if TYPE_CHECKING:
    from concurrent.futures import Future
    from queue import Queue

    from riskee.settings import Settings

_GET_SECONDS = 10.0
# The API gives up first, and says why.
_MARGIN_SECONDS = 5.0
_CONNECT_SECONDS = 2.0
_POLL_SECONDS = 0.1
_BAR = 24
_STAGES = {
    "queued": "waiting for the language model",
    "facts": "collecting the facts",
    "documents": "looking for documents",
    "writing": "writing",
    "checking": "checking the whole",
    "done": "done",
}


def explain(
    ticker: Annotated[str, typer.Argument(help="A ticker, such as AAPL.", show_default=False)] = "",
    prediction: Annotated[str, typer.Option("--id", help="The id of a past prediction, in place of a ticker.")] = "",
    json: Json = False,
) -> None:
    """Explain the latest prediction, with drivers and sources."""
    from riskee.cli.runtime import read_settings

    if bool(ticker) == bool(prediction):
        raise FatalError("what is to be explained?", "give a ticker, or a prediction by --id, not both")
    settings = read_settings()
    if prediction:
        explanation = _past(settings, prediction)
    else:
        explanation = _ask(settings, ticker.upper(), draw=not json and console(error=True).is_terminal)
    if json:
        print_json(explanation)
        return
    out = console()
    for line in explanation_lines(explanation):
        out.print(line)


def _past(settings: "Settings", prediction: str) -> Any:
    """The explanation of a past prediction: the one that was given, else one that is made now."""
    from riskee.cli.api import get, post

    try:
        return get(settings, f"/v1/explain/{prediction}", _GET_SECONDS)
    except NotFoundError:
        with console(error=True).status("nobody asked before: explaining …"):
            return post(settings, f"/v1/explain/{prediction}", settings.api.explain_timeout_seconds + _MARGIN_SECONDS)


def _ask(settings: "Settings", ticker: str, *, draw: bool) -> Any:
    """The explanation of the latest prediction; how far it is, is drawn while it is made."""
    from concurrent.futures import ThreadPoolExecutor

    from riskee.cli.api import post

    seconds = settings.api.explain_timeout_seconds + _MARGIN_SECONDS
    if not draw:
        return post(settings, f"/v1/explain/{ticker}", seconds)
    with ThreadPoolExecutor(1) as pool, _Listener(settings, ticker) as told:
        asked = pool.submit(post, settings, f"/v1/explain/{ticker}", seconds)
        _draw(ticker, told, asked)
        return asked.result()


def _draw(ticker: str, told: "Queue[dict[str, Any]]", asked: "Future[Any]") -> None:
    from queue import Empty

    from rich.markup import escape

    out = console(error=True)
    with out.status(f"explaining {ticker} …") as status:
        while not (asked.done() and told.empty()):
            try:
                progress = told.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if progress["sentence"]:
                out.print(f"[dim]✓ {escape(progress['sentence'])}[/]")
            status.update(f"explaining {ticker}: {stage_line(progress)}")


def stage_line(progress: dict[str, Any]) -> str:
    """How far it is, in words."""
    written = f", {progress['tokens']} tokens" if progress["tokens"] else ""
    return f"{_STAGES.get(progress['stage'], progress['stage'])}{written} …"


class _Listener:
    """Hears the progress of a ticker's explanations from the API's stream. Without the stream nothing is drawn."""

    def __init__(self, settings: "Settings", ticker: str) -> None:
        from queue import SimpleQueue

        self._settings = settings
        self._ticker = ticker
        self._told: Any = SimpleQueue()
        self._socket: Any = None

    def __enter__(self) -> "Queue[dict[str, Any]]":
        import threading
        from contextlib import suppress

        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        from riskee.cli.api import base_url, headers

        url = f"{base_url(self._settings, 'ws')}/v1/stream"
        with suppress(OSError, WebSocketException):
            self._socket = connect(
                url,
                open_timeout=_CONNECT_SECONDS,
                compression=None,
                proxy=None,
                additional_headers=headers(self._settings),
            )
            threading.Thread(target=self._hear, daemon=True).start()
        return self._told  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def _hear(self) -> None:
        from contextlib import suppress

        from websockets.exceptions import WebSocketException

        with suppress(OSError, WebSocketException):
            for progress in _progress(self._socket, self._ticker):
                self._told.put(progress)


def _progress(socket: Any, ticker: str) -> Iterator[dict[str, Any]]:
    import json

    socket.send(json.dumps({"type": "subscribe", "tickers": [ticker]}))
    for text in socket:
        message = json.loads(text)
        if message["type"] == "explaining":
            yield message["progress"]


def explanation_lines(explanation: dict[str, Any]) -> list[str]:
    """An explanation for people: text, drivers as bars, sources, who wrote it."""
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
        where = f", {escape(source['url'])}" if source.get("url") else ""
        lines.append(
            f"      [dim]{escape(source['source'])}, {source['published_at'][:10]}, {source['collection']}{where}[/]"
        )
    return [*lines, "", f"[dim]{escape(_origin(explanation))}; no investment advice[/]"]


def _origin(explanation: dict[str, Any]) -> str:
    """Who wrote it, from how many tokens, and what of it was thrown away."""
    e = explanation
    written = f"written by {e['llm']}" if e["generator"] == "model" else "written by the template"
    checked = "verified" if e["verified"] else "NOT verified"
    tokens = f", {e['tokens_in']} tokens read and {e['tokens_out']} written" if e.get("tokens_out") else ""
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(e.get("dropped", {}).items()))
    dropped = f", sentences dropped: {reasons}" if reasons else ""
    return f"{written}, {checked}, {e['seconds']:.1f} s{tokens}{dropped}, prompt {e.get('prompt_version', '')}"
