"""How each object of a backup is sealed: in chunks that can neither be lost, moved nor changed unnoticed.

header  RKB1, mode (0 plain, 1 AES-256-GCM), id of the key (8 bytes), salt (16 bytes)
chunks  1 MiB each, the last one shorter or empty, with 16 bytes that bind it to the object's name, its place, and
        whether it is the last: the STREAM construction (as age has it), under a key that is derived for each object

Without a key the 16 bytes are of a SHA-256: they find damage, but not whoever writes object and hash anew.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from typing import IO, Protocol

from riskee.backup.errors import DamagedError
from riskee.errors import FatalError

MAGIC = b"RKB1"
CHUNK = 1 << 20
TAG = 16
PLAIN, ENCRYPTED = 0, 1
_KEY_ID, _SALT = 8, 16
HEADER = len(MAGIC) + 1 + _KEY_ID + _SALT

Write = Callable[[bytes], object]


class Seal(Protocol):
    """Seals and opens the chunks of one object."""

    def close(self, index: int, chunk: bytes, *, last: bool) -> bytes: ...

    def open(self, index: int, sealed: bytes, *, last: bool) -> bytes:
        """Raises DamagedError."""


def key_id(key: bytes | None) -> bytes:
    """Tells keys apart without giving anything of them away: 8 bytes, zero for none."""
    return bytes(_KEY_ID) if key is None else hashlib.sha256(b"riskee backup key id\0" + key).digest()[:_KEY_ID]


class Sealer:
    """Seals what is written, and passes it on."""

    def __init__(self, write: Write, name: str, key: bytes | None, salt: bytes | None = None) -> None:
        mode = PLAIN if key is None else ENCRYPTED
        header = MAGIC + bytes([mode]) + key_id(key) + (os.urandom(_SALT) if salt is None else salt)
        self._seal = _seal(header, name, key)
        self._write = write
        self._held = bytearray()
        self._index = 0
        write(header)

    def write(self, data: bytes) -> None:
        """Seal what fills a chunk; the rest waits, for only `finish` knows the last."""
        self._held += data
        while len(self._held) > CHUNK:
            self._pass(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]

    def finish(self) -> None:
        """Seal the last chunk. Without it the object counts as cut short."""
        self._pass(bytes(self._held), last=True)

    def _pass(self, chunk: bytes, *, last: bool) -> None:
        self._write(self._seal.close(self._index, chunk, last=last))
        self._index += 1


def opened(source: IO[bytes], name: str, key: bytes | None) -> Iterator[bytes]:
    """The content of a sealed object, chunk by chunk, each checked before it is given away.

    Raises DamagedError where it is not what was sealed under this name, and FatalError for a missing or another key.
    """
    header = source.read(HEADER)
    if len(header) < HEADER or header[: len(MAGIC)] != MAGIC:
        raise DamagedError(f"{name} is no object of a backup", "restore from another backup")
    _require_key(header, name, key)
    seal = _seal(header, name, key)
    index, current = 0, source.read(CHUNK + TAG)
    while True:
        following = source.read(CHUNK + TAG)
        yield seal.open(index, current, last=not following)
        if not following:
            return
        index, current = index + 1, following


def _require_key(header: bytes, name: str, key: bytes | None) -> None:
    mode, wanted = header[len(MAGIC)], header[len(MAGIC) + 1 : len(MAGIC) + 1 + _KEY_ID]
    if mode == PLAIN and key is not None:
        # Else whoever can write to the target could put an object of their own in the place of an encrypted one.
        raise DamagedError(
            f"{name} is not encrypted, though there is a key", "unset RISKEE_BACKUP__KEY to read what was made without"
        )
    if mode == ENCRYPTED and key is None:
        raise FatalError(f"{name} is encrypted", "set RISKEE_BACKUP__KEY_FILE to the file with its key")
    if mode not in (PLAIN, ENCRYPTED):
        raise DamagedError(f"{name} is sealed in an unknown way ({mode})", "use the version of Riskee that made it")
    if key_id(key) != wanted:
        raise FatalError(
            f"{name} is encrypted with the key {wanted.hex()}, the key given is {key_id(key).hex()}",
            "set RISKEE_BACKUP__KEY_FILE to the file with that key",
        )


def _seal(header: bytes, name: str, key: bytes | None) -> Seal:
    return _Hashed(header, name) if key is None else _Encrypted(header, name, key)


def _place(index: int, last: bool) -> bytes:
    """The nonce of a chunk, 12 bytes. The key is the object's own, so no nonce comes twice under one key."""
    return index.to_bytes(11, "big") + bytes([last])


def _damaged(name: str, index: int) -> DamagedError:
    return DamagedError(
        f"{name} is damaged: chunk {index} is cut short, changed, or not in its place", "restore from another backup"
    )


class _Hashed:
    def __init__(self, header: bytes, name: str) -> None:
        self._prefix = header + name.encode() + b"\0"
        self._name = name

    def close(self, index: int, chunk: bytes, *, last: bool) -> bytes:
        return chunk + self._tag(index, chunk, last=last)

    def open(self, index: int, sealed: bytes, *, last: bool) -> bytes:
        chunk, tag = sealed[:-TAG], sealed[-TAG:]
        if len(sealed) < TAG or not hmac.compare_digest(tag, self._tag(index, chunk, last=last)):
            raise _damaged(self._name, index)
        return chunk

    def _tag(self, index: int, chunk: bytes, *, last: bool) -> bytes:
        return hashlib.sha256(self._prefix + _place(index, last) + chunk).digest()[:TAG]


class _Encrypted:
    def __init__(self, header: bytes, name: str, key: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF
        except ImportError as error:
            raise FatalError(
                "encrypted backups need the package cryptography", "pip install 'riskee[asymmetric]'"
            ) from error
        derivation = HKDF(SHA256(), 32, salt=header[-_SALT:], info=b"riskee backup\0" + name.encode())
        self._cipher = AESGCM(derivation.derive(key))
        self._header = header
        self._name = name

    def close(self, index: int, chunk: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(_place(index, last), chunk, self._header)

    def open(self, index: int, sealed: bytes, *, last: bool) -> bytes:
        from cryptography.exceptions import InvalidTag

        if len(sealed) < TAG:
            raise _damaged(self._name, index)
        try:
            return self._cipher.decrypt(_place(index, last), sealed, self._header)
        except InvalidTag as error:
            raise _damaged(self._name, index) from error
