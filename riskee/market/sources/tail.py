"""Following a file that grows: its whole new lines, across rotation, truncation and restarts."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from riskee.errors import RetryableError

_HEAD_BYTES = 256
# What has no end after so many bytes is no row: it is given in pieces, and not read whole again and again.
_LONGEST_LINE = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Place(msgspec.Struct, frozen=True):
    """How far a file was read: bytes and lines from its beginning. `header` is its first line, fit to be stored.

    Which file it is say its inode and its first bytes, for the inode of a deleted file is soon another's.
    """

    inode: int
    offset: int = 0
    lines: int = 0
    header: str = ""
    head: bytes = b""

    def after(self, text: bytes) -> "Place":
        """The place after one more line."""
        header = self.header or text.decode("utf-8-sig", errors="replace").replace("\0", "\ufffd").strip()
        head = self.head if len(self.head) >= _HEAD_BYTES else (self.head + text)[:_HEAD_BYTES]
        return Place(self.inode, self.offset + len(text), self.lines + 1, header, head)


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line of a file, and the place after it. It is the `place.lines`th line."""

    text: bytes
    place: Place


class Tail:
    """Reads one path on from a place.

    A file that was renamed away is read to its end first, also where that happened while nobody read, if it is still
    in the same folder. One that became shorter than what was read of it, or begins otherwise, is read from its
    beginning. A last line without its end is left for later.
    """

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self.path = path
        self.place = place
        # How far the file was read that had this path before.
        self.left: Place | None = None
        self._file: BinaryIO | None = None
        # When the file had last been written to before it was last read.
        self._written_ns: int | None = None

    def read(self, limit: int) -> list[Line]:
        """The next whole lines, at most `limit`; none where nothing new is there.

        Raises RetryableError where the file cannot be read.
        """
        try:
            if self._file is None:
                self._open()
            lines = self._lines(limit)
            if not lines and self._replaced():
                # What was written between the last read and the rename.
                lines = self._lines(limit)
                if not lines:
                    self._go_on_to_the_new()
                    lines = self._lines(limit)
        except OSError as error:
            self.close()
            raise RetryableError(f"{self.path} cannot be read: {error.strerror}", "it is tried again") from error
        return lines

    @property
    def idle(self) -> bool:
        """Whether its path holds what was read of it and was not written to since, or is not there any more."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return self.place is not None
        except OSError:
            # Reading says why.
            return False
        read = self.place and (self.place.inode, self.place.offset, self._written_ns)
        return (found.st_ino, found.st_size, found.st_mtime_ns) == read

    def close(self) -> None:
        """Give the file back; the next read opens it again."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _open(self) -> None:
        path = self.path
        if self.place is not None and self._inode(path) != self.place.inode:
            path = self._renamed() or path
        self._file = path.open("rb")
        inode = os.fstat(self._file.fileno()).st_ino
        if self.place is None or self.place.inode != inode:
            self.place = Place(inode)

    def _go_on_to_the_new(self) -> None:
        self.close()
        self.left, self.place = self.place, None
        self._open()

    def _lines(self, limit: int) -> list[Line]:
        assert self._file is not None  # noqa: S101 (it was opened)
        assert self.place is not None  # noqa: S101
        before = os.fstat(self._file.fileno())
        self._written_ns = before.st_mtime_ns
        if before.st_size < self.place.offset or not self._begins_as(self._file, self.place):
            self.place = Place(self.place.inode)
        self._file.seek(self.place.offset)
        found: list[Line] = []
        while len(found) < limit and _is_whole(text := self._file.readline(_LONGEST_LINE)):
            self.place = self.place.after(text)
            first = text.removeprefix(_BYTE_ORDER_MARK) if self.place.lines == 1 else text
            found.append(Line(first.rstrip(b"\r\n"), self.place))
        return found

    def _replaced(self) -> bool:
        return self.place is not None and self._inode(self.path) not in (None, self.place.inode)

    def _renamed(self) -> Path | None:
        """Where the file that was read is now."""
        assert self.place is not None  # noqa: S101
        return next((other for other in self.path.parent.iterdir() if self._inode(other) == self.place.inode), None)

    @staticmethod
    def _begins_as(file: BinaryIO, place: Place) -> bool:
        file.seek(0)
        return file.read(len(place.head)) == place.head

    @staticmethod
    def _inode(path: Path) -> int | None:
        try:
            return path.stat().st_ino
        except FileNotFoundError:
            return None


def _is_whole(text: bytes) -> bool:
    return text.endswith(b"\n") or len(text) == _LONGEST_LINE
