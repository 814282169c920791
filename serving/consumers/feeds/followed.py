"""The rows of one file or of a folder of files, in order of their time."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from riskee.errors import PoisonError, RetryableError
from riskee.market.sources.live_rows import LiveRow, parse_row
from riskee.market.sources.tail import Line, Place, Tail

# Lines read of one file at a time.
_AT_ONCE = 1000
_ENDINGS = (".csv", ".jsonl")
# A process may have a thousand files open, a folder may have more.
_MOST_OPEN = 64

_Kept = TypeVar("_Kept")


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
    there is more, has not come to yet. A file has one reader, whatever it is renamed to within the folder. The files
    that grew last stay open: of those, what is written just before they leave the folder is read too.
    """

    path: Path
    # By file: how far what was given out reaches.
    places: dict[str, Place]
    # Why files cannot be read that are there; the others are.
    unreadable: dict[str, str] = field(default_factory=dict)
    _tails: dict[str, Tail] = field(default_factory=dict)
    # Those whose files are open, the one that grew last at the end.
    _open: dict[Tail, None] = field(default_factory=dict)
    # Those open ones that gave as much as was asked for: there may be more.
    _unread: set[Tail] = field(default_factory=set)
    _waiting: dict[str, deque[Found]] = field(default_factory=dict)

    def read(self) -> list[Found]:
        """What is new. Raises RetryableError where the path is not there."""
        self._look()
        self.unreadable = {}
        more = {name for name in self._tails if self._fill(name)}
        return list(self._merged(more))

    def forget_gone(self) -> None:
        """Leave files that are not there any more and were read to their end."""
        for name in [name for name in self.places if not Path(name).exists() and self._is_used_up(name)]:
            del self.places[name]
            self._waiting.pop(name, None)
            if (tail := self._tails.pop(name, None)) is not None:
                self._give_back(tail)

    def _is_used_up(self, name: str) -> bool:
        return not self._waiting.get(name) and self._tails.get(name) not in self._unread

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
        inodes = {str(file): inode for file in files if (inode := _inode(file)) is not None}
        self._rename(inodes)
        for name, inode in inodes.items():
            if name not in self._tails:
                self._follow(name, inode)

    def _rename(self, inodes: Mapping[str, int]) -> None:
        """Let the reader of each file that was renamed go on under its new name, with the rows that wait."""
        here = {inode: name for name, inode in inodes.items()}
        read = {name: place.inode for name, place in self.places.items()} | {
            name: tail.place.inode for name, tail in self._tails.items() if tail.place is not None
        }
        new = {name: here[inode] for name, inode in read.items() if here.get(inode, name) != name}
        if not new:
            return
        self.places = _moved(self.places, new)
        for name in new.values():
            if name in self._tails and name not in new:
                self._give_back(self._tails[name])
        self._tails = _moved(self._tails, new)
        self._waiting = {
            name: deque(replace(found, file=name) for found in waiting)
            for name, waiting in _moved(self._waiting, new).items()
        }
        for name, tail in self._tails.items():
            tail.path = Path(name)

    def _follow(self, name: str, inode: int) -> None:
        """A file that another one has taken the place of goes on where it was read to, if it is found again."""
        lefts = [tail.left for tail in self._tails.values() if tail.left is not None]
        known = next((left for left in lefts if left.inode == inode), self.places.get(name))
        self._tails[name] = Tail(Path(name), known)
        self._waiting[name] = deque()
        self.places[name] = known or Place(inode)

    def _fill(self, name: str) -> bool:
        """Read on in a file whose rows are used up; whether there may be more of it."""
        waiting = self._waiting[name]
        if waiting:
            return True
        tail = self._tails[name]
        self._unread.discard(tail)
        if tail not in self._open and tail.idle:
            return False
        try:
            lines = tail.read(_AT_ONCE)
        except RetryableError as error:
            self.unreadable[name] = error.cause
            return False
        if len(lines) == _AT_ONCE:
            self._unread.add(tail)
        self._keep_open(tail, grew=bool(lines))
        waiting.extend(found for line in lines if (found := _parsed(name, line)) is not None)
        return len(lines) == _AT_ONCE

    def _keep_open(self, tail: Tail, *, grew: bool) -> None:
        """Leave a file open that grew, and give those back that did not for longest."""
        if grew:
            self._open.pop(tail, None)
            self._open[tail] = None
        elif tail not in self._open:
            tail.close()
        while len(self._open) > _MOST_OPEN:
            self._give_back(next(iter(self._open)))

    def _give_back(self, tail: Tail) -> None:
        self._open.pop(tail, None)
        self._unread.discard(tail)
        tail.close()

    def _merged(self, more: set[str]) -> Iterator[Found]:
        while heads := [(name, waiting[0]) for name, waiting in self._waiting.items() if waiting]:
            name = min(heads, key=lambda head: (isinstance(head[1].row, LiveRow), _time(head[1])))[0]
            found = self._waiting[name].popleft()
            self.places[name] = found.line.place
            yield found
            if name in more and not self._waiting[name]:
                return


def _inode(file: Path) -> int | None:
    """None of a file that has gone meanwhile."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def _moved(by_name: Mapping[str, _Kept], new: Mapping[str, str]) -> dict[str, _Kept]:
    """What is kept by name, under the new names; what had these before gives way."""
    stay = {name: kept for name, kept in by_name.items() if name not in new}
    return stay | {new[name]: kept for name, kept in by_name.items() if name in new}


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
