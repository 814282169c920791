"""The rows of one file or of a folder of files, in order of their time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from riskee.errors import PoisonError, RetryableError
from riskee.market.sources.live_rows import LiveRow, parse_row
from riskee.market.sources.tail import Line, Place, Tail

# Lines read of one file at a time.
_AT_ONCE = 1000
_ENDINGS = (".csv", ".jsonl")


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is no row, and why."""

    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A row, or what stands in place of one, and where it was read."""

    file: str
    line: Line
    row: LiveRow | Refused

    @property
    def where(self) -> str:
        return f"{Path(self.file).name} line {self.line.place.lines}"


@dataclass
class FollowedFiles:
    """Follows a file, or those of a folder, new ones too. Every method blocks: call it in a thread.

    Where files have a backlog, their rows are merged by time: a file is not read past what another one, of which
    there is more, has not come to yet.
    """

    path: Path
    # By file: how far what was given out reaches.
    places: dict[str, Place]
    _tails: dict[str, Tail] = field(default_factory=dict)
    _waiting: dict[str, deque[Found]] = field(default_factory=dict)

    def read(self) -> list[Found]:
        """What is new. Raises RetryableError where the path is not there or cannot be read."""
        self._look()
        more = {name for name in self._tails if self._fill(name)}
        return list(self._merged(more))

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()

    def _look(self) -> None:
        """Follow files that are new."""
        if self.path.is_dir():
            files = sorted(file for file in self.path.iterdir() if file.suffix in _ENDINGS)
        else:
            files = [self.path]
            if not self.path.exists() and str(self.path) not in self._tails:
                raise RetryableError(f"there is no {self.path} yet", "RISKEE_FEED__FILE__PATH names what is followed")
        for file in files:
            if str(file) not in self._tails:
                self._follow(file)

    def _follow(self, file: Path) -> None:
        """One that was renamed goes on where it was read to under its old name."""
        name, inode = str(file), file.stat().st_ino
        renamed = next((place for place in self.places.values() if place.inode == inode), None)
        self._tails[name] = Tail(file, self.places.get(name, renamed))
        self._waiting[name] = deque()
        self.places.setdefault(name, renamed or Place(inode))

    def _fill(self, name: str) -> bool:
        """Read on in a file whose rows are used up; whether there may be more of it."""
        waiting = self._waiting[name]
        if waiting:
            return True
        lines = self._tails[name].read(_AT_ONCE)
        waiting.extend(found for line in lines if (found := _parsed(name, line)) is not None)
        return len(lines) == _AT_ONCE

    def _merged(self, more: set[str]) -> Iterator[Found]:
        while heads := [(name, waiting[0]) for name, waiting in self._waiting.items() if waiting]:
            name = min(heads, key=lambda head: (isinstance(head[1].row, LiveRow), _time(head[1])))[0]
            found = self._waiting[name].popleft()
            self.places[name] = found.line.place
            yield found
            if name in more and not self._waiting[name]:
                return


def _time(found: Found) -> float:
    return found.row.time.timestamp() if isinstance(found.row, LiveRow) else 0.0


def _parsed(name: str, line: Line) -> Found | None:
    """The line's row; None for the header of a CSV and for an empty line."""
    is_header = line.place.lines == 1 and not line.text.lstrip().startswith(b"{")
    if is_header or not line.text.strip():
        return None
    row: LiveRow | Refused
    try:
        row = parse_row(line.text, line.place.header)
    except PoisonError as error:
        row = Refused(str(error), line.text)
    return Found(name, line, row)
