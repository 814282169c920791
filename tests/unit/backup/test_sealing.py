"""Sealed objects: what is cut, changed or moved is refused, with a key and without."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.backup import sealing
from riskee.backup.errors import DamagedError
from riskee.backup.sealing import CHUNK, HEADER, TAG, Sealer, opened
from riskee.errors import FatalError

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
NAME = "backups/1/postgres/base.tar"
SALT = bytes(16)
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])


def sealed(content: bytes, key: bytes | None, name: str = NAME) -> bytes:
    parts: list[bytes] = []
    sealer = Sealer(parts.append, name, key, SALT)
    sealer.write(content)
    sealer.finish()
    return b"".join(parts)


def read(data: bytes, key: bytes | None, name: str = NAME) -> bytes:
    return b"".join(opened(io.BytesIO(data), name, key))


@KEYS
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_comes_back_as_it_was(key: bytes | None, size: int) -> None:
    content = bytes(size - 1) + b"x" if size else b""
    assert read(sealed(content, key), key) == content


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sealing, "CHUNK", 8)
    return 8 + TAG


@KEYS
def test_is_the_same_however_it_was_written(key: bytes | None, small_chunks: int) -> None:
    parts: list[bytes] = []
    sealer = Sealer(parts.append, NAME, key, SALT)
    for number in range(50):
        sealer.write(bytes([number]) * (number % 7))
    sealer.finish()
    whole = b"".join(bytes([number]) * (number % 7) for number in range(50))
    assert b"".join(parts) == sealed(whole, key)


@KEYS
def test_any_cut_is_refused(key: bytes | None, small_chunks: int) -> None:
    data = sealed(b"twenty bytes of text", key)
    assert len(data) == HEADER + 2 * small_chunks + 4 + TAG
    for length in range(len(data)):
        with pytest.raises(DamagedError):
            read(data[:length], key)


@KEYS
def test_any_changed_byte_is_refused(key: bytes | None, small_chunks: int) -> None:
    data = sealed(b"twenty bytes of text", key)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises((DamagedError, FatalError)):
            read(bytes(changed), key)


def _chunks(data: bytes, length: int) -> list[bytes]:
    return [data[start : start + length] for start in range(HEADER, len(data), length)]


REARRANGED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "swapped": lambda c: [c[1], c[0], *c[2:]],
    "repeated": lambda c: [c[0], *c],
    "left out": lambda c: c[1:],
    "last left out": lambda c: c[:-1],
    "something after the last": lambda c: [*c, c[0]],
}


@KEYS
@pytest.mark.parametrize("way", REARRANGED)
def test_rearranged_chunks_are_refused(key: bytes | None, way: str, small_chunks: int) -> None:
    data = sealed(b"a" * 8 + b"b" * 8 + b"c" * 8, key)
    with pytest.raises(DamagedError):
        read(data[:HEADER] + b"".join(REARRANGED[way](_chunks(data, small_chunks))), key)


@KEYS
def test_an_object_in_the_place_of_another_is_refused(key: bytes | None) -> None:
    with pytest.raises(DamagedError, match="other is damaged"):
        read(sealed(b"content", key), key, name="other")


def test_another_key_is_named_and_a_missing_one_asked_for() -> None:
    data = sealed(b"content", KEY)
    with pytest.raises(FatalError, match=f"encrypted with the key {sealing.key_id(KEY).hex()}"):
        read(data, OTHER_KEY)
    with pytest.raises(FatalError, match="is encrypted"):
        read(data, None)


def test_what_is_not_encrypted_does_not_pass_for_what_is() -> None:
    with pytest.raises(DamagedError, match="not encrypted"):
        read(sealed(b"content", None), KEY)


def test_an_encrypted_object_does_not_show_its_content() -> None:
    assert b"secret" not in sealed(b"secret" * 10, KEY)
    assert b"secret" in sealed(b"secret" * 10, None)


def test_no_two_objects_are_sealed_alike() -> None:
    parts: list[list[bytes]] = [[], []]
    for part in parts:
        sealer = Sealer(part.append, NAME, KEY)
        sealer.finish()
    assert parts[0][-1] != parts[1][-1]


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises((DamagedError, FatalError)):
        read(data, KEY)
