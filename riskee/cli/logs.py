"""`riskee logs`."""

import json as codec
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli import completion
from riskee.cli.console import Json
from riskee.cli.runtime import embedded_stack, read_settings
from riskee.errors import NotFoundError

if TYPE_CHECKING:
    from infra.embedded.stack import Stack

_POLL_SECONDS = 0.3


def logs(
    name: Annotated[
        str,
        typer.Argument(
            help="A process of `riskee status`, or audit; all when left out.",
            show_default=False,
            autocompletion=completion.logs,
        ),
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines of each log.")] = 20,
    json: Json = False,
) -> None:
    """Print the logs of one process, or of all."""
    stack = embedded_stack(read_settings())
    known = log_names(stack)
    if not known:
        raise NotFoundError("there are no logs yet: nothing was started", "`riskee up`")
    if name and name not in known:
        raise NotFoundError(f"there is no log of {name!r}", f"there are: {', '.join(known)}")
    paths = [stack.log_path(one) for one in ([name] if name else known)]
    width = 0 if name else max(map(len, known), default=0)
    for path in paths:
        for line in last_lines(path, lines):
            typer.echo(_named(path, line, width, json=json))
    if follow:
        for path, line in followed(paths):
            typer.echo(_named(path, line, width, json=json))


def log_names(stack: "Stack") -> list[str]:
    """What has written a log, by name."""
    return sorted(path.stem for path in stack.log_path("any").parent.glob("*.log"))


def last_lines(path: Path, count: int) -> Sequence[str]:
    """The last lines of a file, none for one that is not there."""
    if not path.exists():
        return ()
    with path.open(errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=count)]


def followed(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Whole lines as they are appended, for ever; a file that was rotated is read from its start."""
    places = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    while True:
        for path in paths:
            for line in _appended(path, places):
                yield path, line
        time.sleep(_POLL_SECONDS)


def _appended(path: Path, places: dict[Path, int]) -> list[str]:
    if not path.exists():
        return []
    if path.stat().st_size < places[path]:
        places[path] = 0
    with path.open("rb") as file:
        file.seek(places[path])
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    places[path] += len(whole)
    return whole.decode(errors="replace").splitlines()


def _named(path: Path, line: str, width: int, *, json: bool) -> str:
    if json:
        return codec.dumps({"log": path.stem, "line": line}, ensure_ascii=False)
    return f"{path.stem:<{width}} | {line}" if width else line
