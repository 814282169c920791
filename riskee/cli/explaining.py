"""Asking for an explanation: it is made within seconds, and how far it is can be heard meanwhile."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from riskee.cli.console import console

if TYPE_CHECKING:
    from concurrent.futures import Future
    from queue import Queue

    from riskee.settings import Settings

# The API gives up first, and says why.
_MARGIN_SECONDS = 5.0
_CONNECT_SECONDS = 2.0
_POLL_SECONDS = 0.1
# Of what the language model is writing, the end is shown.
_DRAFT = 160
_STAGES = {
    "queued": "waiting for the language model",
    "facts": "collecting the facts",
    "documents": "looking for documents",
    "writing": "writing",
    "checking": "checking the whole",
    "done": "done",
}


def ask(settings: "Settings", *, ticker: str, prediction: str = "", show: bool) -> Any:
    """The explanation of a ticker's latest prediction, or of a past one of it by its id.

    With `show`, how far it is and each sentence that was checked are told on standard error while it is made. Raises
    what the API has against it.
    """
    from riskee.cli.api import post

    what = prediction or ticker
    path, seconds = f"/v1/explain/{what}", settings.api.explain_timeout_seconds + _MARGIN_SECONDS
    if not show:
        return post(settings, path, seconds)
    with _Listener(settings, ticker, prediction) as told:
        asked = _begun(lambda: post(settings, path, seconds))
        _show(what, told, asked)
        return asked.result()


def _begun(request: Callable[[], Any]) -> "Future[Any]":
    """A request under way, which nobody who leaves has to wait for: of a pool's threads the interpreter does."""
    import threading
    from concurrent.futures import Future

    asked: Future[Any] = Future()

    def run() -> None:
        try:
            asked.set_result(request())
        except Exception as error:  # noqa: BLE001 (whatever it is, it is raised to who asked)
            asked.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return asked


def _show(what: str, told: "Queue[dict[str, Any]]", asked: "Future[Any]") -> None:
    """A line that changes, the sentences above it, and below it what is written just now, where the service tells that;
    where there is no terminal, a line for each stage."""
    from queue import Empty

    from rich.markup import escape

    out, stage, draft = console(error=True), "", ""
    with out.status(f"explaining {escape(what)} …") as status:
        while not (asked.done() and told.empty()):
            try:
                progress = told.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            line = f"explaining {what}: {stage_line(progress)}"
            if not out.is_terminal and progress["stage"] != stage:
                typer.echo(line, err=True)
            stage = progress["stage"]
            if progress["sentence"]:
                out.print(f"[dim]✓ {escape(progress['sentence'])}[/]")
            writes = progress["stage"] == "writing" and not progress["sentence"]
            draft = draft + (progress.get("draft") or "") if writes else ""
            status.update(escape(line) + (f"\n[dim]{escape(draft_line(draft))}[/]" if draft else ""))


def draft_line(draft: str) -> str:
    """The end of what the language model has written and nothing has checked yet, as it came, in one line."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in draft).split())
    return f"not checked yet: {'…' if len(plain) > _DRAFT else ''}{plain[-_DRAFT:]}"


def stage_line(progress: dict[str, Any]) -> str:
    """How far it is, in words."""
    written = f", {progress['tokens']} tokens" if progress["tokens"] else ""
    return f"{_STAGES.get(progress['stage'], progress['stage'])}{written} …"


class _Listener:
    """Hears the progress of explanations from the API's stream: of a ticker's, or of one prediction's.

    Without the stream nothing is heard, and the explanation comes all the same.
    """

    def __init__(self, settings: "Settings", ticker: str, prediction: str) -> None:
        from queue import SimpleQueue

        self._settings = settings
        self._tickers = [ticker]
        self._prediction = prediction.lower()
        self._told: Any = SimpleQueue()
        self._socket: Any = None

    def __enter__(self) -> "Queue[dict[str, Any]]":
        import threading
        from contextlib import suppress

        from websockets.exceptions import WebSocketException

        from riskee.cli.stream import dial

        with suppress(OSError, WebSocketException):
            self._socket = dial(self._settings, _CONNECT_SECONDS)
            threading.Thread(target=self._hear, daemon=True).start()
        return self._told  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def _hear(self) -> None:
        from contextlib import suppress

        from websockets.exceptions import WebSocketException

        with suppress(OSError, WebSocketException):
            for progress in self._progress():
                self._told.put(progress)

    def _progress(self) -> Iterator[dict[str, Any]]:
        import json

        self._socket.send(json.dumps({"type": "subscribe", "tickers": self._tickers}))
        for text in self._socket:
            message = json.loads(text)
            if message["type"] == "explaining" and self._prediction in ("", message["progress"]["prediction_id"]):
                yield message["progress"]
