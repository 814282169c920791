"""What is saved as files: the reports of the models; and how a packed folder is unpacked, here and of the database.

The models themselves are rows of the database, each with its hash; weights and data sets are downloaded by theirs.
"""

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, cast

from riskee.backup.errors import DamagedError
from riskee.backup.sealing import Write

# Below the home; those that there are.
FOLDERS = ("reports", "models")


def pack(home: Path, write: Write, folders: Sequence[str] = FOLDERS) -> int:
    """Write the folders as a tar; returns the number of files."""
    count = 0
    # The stream mode needs of a file that it can be written.
    with tarfile.open(mode="w|", fileobj=cast(IO[bytes], _Writing(write))) as archive:
        for folder in folders:
            for path in sorted((home / folder).rglob("*")):
                if path.is_file() and not path.is_symlink():
                    archive.add(path, str(path.relative_to(home)))
                    count += 1
    return count


def unpack(blocks: Iterable[bytes], folder: Path) -> int:
    """Unpack a tar into a folder; returns the number of files.

    Raises DamagedError for a member that would be written elsewhere, and for what is no tar.
    """
    count = 0
    try:
        with tarfile.open(mode="r|", fileobj=cast(IO[bytes], Blocks(blocks))) as archive:
            # An attribute, for Python before 3.11.4 (Debian 12's) has neither the argument nor the filter.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            for member in archive:
                _require_plain(member)
                archive.extract(member, folder)
                count += member.isfile()
    except tarfile.TarError as error:
        raise DamagedError(f"a packed folder cannot be unpacked: {error}", "restore from another backup") from error
    return count


def _require_plain(member: tarfile.TarInfo) -> None:
    """Raises DamagedError for what is neither a file nor a folder, or would be written elsewhere."""
    path = PurePosixPath(member.name)
    if not (member.isfile() or member.isdir()) or path.is_absolute() or ".." in path.parts:
        raise DamagedError(f"a packed folder holds {member.name}, which is not unpacked", "restore from another backup")


class _Writing:
    def __init__(self, write: Write) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(data)
        return len(data)


class Blocks(io.RawIOBase):
    """Blocks of bytes as a file that is read once."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        parts, length = [], 0
        while size < 0 or length < size:
            if not self._held:
                found = next(self._blocks, None)
                if found is None:
                    break
                self._held = found
            part = self._held if size < 0 else self._held[: size - length]
            self._held = self._held[len(part) :]
            parts.append(part)
            length += len(part)
        return b"".join(parts)
