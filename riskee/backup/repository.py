"""The backups on a target: what they are called, and how an object gets there and back.

backups/<id>/<system>/<object>    compressed, sealed
backups/<id>/manifest             the last to be written: without it the backup is not there
wal/<system identifier>/<name>    PostgreSQL's log, shipped as it comes
"""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast

from riskee.backup.errors import DamagedError
from riskee.backup.key import read_key
from riskee.backup.manifest import Manifest, StoredObject, decode, encode
from riskee.backup.sealing import Sealer, opened
from riskee.backup.target import Target, target_of
from riskee.errors import NotFoundError
from riskee.settings import Settings

BACKUPS, WAL, MANIFEST = "backups", "wal", "manifest"
# Twice as fast as the usual 6, and a tenth larger.
_LEVEL = 3
_GZIP = 31
_READ = 1 << 20


@dataclass
class Storing:
    """An object on its way to the target."""

    name: str
    _sealer: Sealer
    _content: int = 0

    def __post_init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def write(self, data: bytes) -> None:
        """Pack, seal and store."""
        self._content += len(data)
        self._sealer.write(self._packer.compress(data))

    def finish(self) -> int:
        """Write what is held; returns the size of the content."""
        self._sealer.write(self._packer.flush())
        self._sealer.finish()
        return self._content


class Repository:
    """All backups of one target, read and written with one key."""

    def __init__(self, target: Target, key: bytes | None) -> None:
        self.target = target
        self._key = key

    @contextmanager
    def storing(self, path: str, into: list[StoredObject] | None = None) -> Iterator[Storing]:
        """Store an object; how it became is appended to `into`. Where the block fails, nothing is stored."""
        digest, size = hashlib.sha256(), 0

        def write(data: bytes) -> None:
            nonlocal size
            size += len(data)
            digest.update(data)
            file.write(data)

        with self.target.writing(path) as file:
            storing = Storing(path, Sealer(write, path, self._key))
            yield storing
            content = storing.finish()
        if into is not None:
            into.append(StoredObject(path, content, size, digest.hexdigest()))

    def reading(self, path: str) -> Iterator[bytes]:
        """The content of an object, block by block, checked. Raises DamagedError and NotFoundError."""
        with self.target.reading(path) as file:
            yield from _unpacked(opened(file, path, self._key), path)

    def check(self, wanted: StoredObject) -> None:
        """Read an object whole and compare it with the manifest. Raises DamagedError and NotFoundError."""
        content = 0
        with self.target.reading(wanted.name) as file:
            hashed = _Hashing(file)
            for block in _unpacked(opened(cast(IO[bytes], hashed), wanted.name, self._key), wanted.name):
                content += len(block)
        found = StoredObject(wanted.name, content, hashed.size, hashed.digest.hexdigest())
        if found != wanted:
            raise DamagedError(f"{wanted.name} is not what the manifest says", "restore from another backup")

    def ids(self) -> list[str]:
        """The complete backups, the newest first."""
        return [one for one in reversed(self.target.names(BACKUPS)) if self._has_manifest(one)]

    def incomplete_ids(self) -> list[str]:
        """Those that never ended, or are under way, the newest first."""
        return [one for one in reversed(self.target.names(BACKUPS)) if not self._has_manifest(one)]

    def manifest(self, backup_id: str) -> Manifest:
        """Raises NotFoundError and DamagedError."""
        if not self._has_manifest(backup_id):
            raise NotFoundError(f"there is no backup {backup_id}", "`riskee backup list` shows those that there are")
        return decode(b"".join(self.reading(_manifest_path(backup_id))))

    def manifests(self) -> list[Manifest]:
        """Of all complete backups, the newest first."""
        return [self.manifest(one) for one in self.ids()]

    def find(self, backup_id: str | None) -> Manifest:
        """The backup of this id; the newest for None. Raises NotFoundError."""
        if backup_id is not None:
            return self.manifest(backup_id)
        newest = next(iter(self.ids()), None)
        if newest is None:
            raise NotFoundError(f"there is no backup in {self.target.address}", "`riskee backup create` makes one")
        return self.manifest(newest)

    def complete(self, manifest: Manifest) -> None:
        """Make the backup one."""
        with self.storing(_manifest_path(manifest.backup_id)) as storing:
            storing.write(encode(manifest))

    def remove(self, backup_id: str) -> None:
        """Remove a backup: first its manifest, so that what is left of an interruption counts as incomplete."""
        if self._has_manifest(backup_id):
            self.target.remove(_manifest_path(backup_id))
        self.target.remove(f"{BACKUPS}/{backup_id}")

    def _has_manifest(self, backup_id: str) -> bool:
        return self.target.exists(_manifest_path(backup_id))


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        self.size += len(data)
        return data


def _unpacked(chunks: Iterator[bytes], path: str) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                yield unpacker.decompress(rest, _READ)
                rest = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise DamagedError(f"{path} does not unpack: {error}", "restore from another backup") from error
    if not unpacker.eof:
        raise DamagedError(f"{path} ends too early", "restore from another backup")


def repository_of(settings: Settings) -> Repository:
    """The repository that the settings name. Raises FatalError for a key that is none."""
    return Repository(target_of(settings), read_key(settings.backup))


def object_path(backup_id: str, system: str, name: str) -> str:
    """Where an object of a backup is."""
    return f"{BACKUPS}/{backup_id}/{system}/{name}"


def _manifest_path(backup_id: str) -> str:
    return f"{BACKUPS}/{backup_id}/{MANIFEST}"
