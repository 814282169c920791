"""Where backups are kept: a folder, or whatever fsspec has an address for."""

import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from riskee.errors import FatalError, NotFoundError, RetryableError
from riskee.settings import Settings

_PARTIAL = ".partial"


class Target:
    """A tree of objects. What is written appears whole or not at all."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._fs, self._root = fsspec.url_to_fs(address)
        except ImportError as error:
            raise FatalError(
                f"{address} needs a package that is not installed: {error}", "pip install 'riskee[s3]' for s3://"
            ) from error
        except ValueError as error:
            raise FatalError(f"{address} is no place for backups: {error}", "mend RISKEE_BACKUP__TARGET") from error
        self._local = isinstance(self._fs, LocalFileSystem)
        self._failures: tuple[type[Exception], ...] = (OSError, *_failures_of(self._fs))

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Write an object anew. Where the block fails, the object is not there, or is as it was before."""
        path = self._path(name)
        with (
            self._errors(name, missing=False),
            _local_file(Path(path)) if self._local else self._remote_file(path) as file,
        ):
            yield file

    @contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """Raises NotFoundError."""
        with self._errors(name), self._fs.open(self._path(name), "rb") as file:
            yield file

    def names(self, folder: str) -> list[str]:
        """What is in a folder, in order; nothing where there is no such folder."""
        with self._errors(folder):
            try:
                # A listing that was remembered would not know what another process has written.
                self._fs.invalidate_cache()
                paths = self._fs.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted(name for path in paths if not (name := str(path).rsplit("/", 1)[-1]).endswith(_PARTIAL))

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        with self._errors(name):
            self._fs.invalidate_cache()
            return bool(self._fs.exists(self._path(name)))

    def remove(self, name: str) -> None:
        """Remove an object, or a folder with all that is in it."""
        with self._errors(name):
            self._fs.rm(self._path(name), recursive=True)

    @contextmanager
    def _remote_file(self, path: str) -> Iterator[IO[bytes]]:
        # Without `autocommit` an object store keeps nothing of what is not committed; closing alone would complete it.
        file: Any = self._fs.open(path, "wb", autocommit=False)
        try:
            yield file
            file.close()
            file.commit()
        except BaseException:
            _discard(file)
            raise

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _errors(self, name: str, *, missing: bool = True) -> Iterator[None]:
        """What the target says as the product's errors; `missing`: something that is not there was asked for."""
        try:
            yield
        except self._failures as error:
            if not (missing and isinstance(error, FileNotFoundError)):
                raise RetryableError(
                    f"{self.address} does not take or give {name}: {getattr(error, 'strerror', None) or error}",
                    "check its free space, owner and mode, or the access to it, then try again",
                ) from error
            raise NotFoundError(f"{self.address} has no {name}", "`riskee backup list` shows what is there") from error


def _discard(file: Any) -> None:
    try:
        file.discard()
    finally:
        if isinstance(file, AbstractBufferedFile):
            # Else it would be closed when it is forgotten, which begins another upload that nobody ends.
            file.closed = True


def _failures_of(fs: AbstractFileSystem) -> tuple[type[Exception], ...]:
    """What a file system raises besides OSError: s3fs lets through what its client says of a store that is away, and of
    keys that are missing.
    """
    if type(fs).__module__.partition(".")[0] != "s3fs":
        return ()
    failures = importlib.import_module("botocore.exceptions")
    return (failures.BotoCoreError, failures.ClientError)


def target_of(settings: Settings) -> Target:
    """The target that the settings name."""
    return Target(settings.backup.target or str(settings.home / "backups"))


@contextmanager
def _local_file(path: Path) -> Iterator[IO[bytes]]:
    """Written beside its place, under a name that no other run writes to, and on the disk before it takes it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=_PARTIAL, dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
