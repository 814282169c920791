"""The lines of a user's file, plain or gzipped, whatever it holds."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from riskee.errors import NotFoundError, PoisonError

MAX_LINE = 4 * 2**20
"""Bytes; far beyond the longest text. What is longer comes as `None` and is never held in memory."""
_BLOCK = 2**20


def sha256_of(path: Path) -> str:
    """Of the file as it lies there. Raises NotFoundError where there is none."""
    digest = hashlib.sha256()
    with _readable(path), path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes | None, float]]:
    """Number, content and the share of the file that is read, for each line that is not blank.

    Raises NotFoundError or PoisonError for a file that cannot be read to its end.
    """
    with _readable(path), path.open("rb") as raw:
        size = max(1, path.stat().st_size)
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            whole = line if len(line) <= MAX_LINE else None
            while len(line) > MAX_LINE and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE + 1)
            if whole is None or whole.strip():
                yield number, whole, raw.tell() / size


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError(f"there is no file {path}", "check the path") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PoisonError(f"{path.name} is no whole gzip file: {error}", "copy it again") from error
    except OSError as error:
        raise PoisonError(f"{path.name} cannot be read: {error}", "check its permissions") from error
