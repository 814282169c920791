"""The header of a GGUF file: what a model says about itself."""

import struct
from pathlib import Path
from typing import Any, BinaryIO

from riskee.errors import FatalError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST_STRING = 1 << 24
_FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    7: "Q8_0",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
}


def read_metadata(file: Path) -> dict[str, Any]:
    """Key to value; arrays (the vocabulary) are skipped. Raises FatalError for a file that is not GGUF."""
    try:
        with file.open("rb") as stream:
            if stream.read(4) != b"GGUF":
                raise FatalError(f"{file} is not a GGUF file", "fetch or choose other weights")
            _version, _tensors, count = _unpack(stream, "IQQ")
            pairs = [(_string(stream), _value(stream, _unpack(stream, "I")[0])) for _ in range(count)]
    except (OSError, struct.error, ValueError, KeyError) as error:
        raise FatalError(f"the header of {file} cannot be read: {error}", "fetch or choose other weights") from error
    return {key: value for key, value in pairs if value is not None}


def quantisation(metadata: dict[str, Any]) -> str:
    """The name of the quantisation, as Ollama shows it."""
    return _FILE_TYPES.get(metadata.get("general.file_type", -1), "unknown")


def _unpack(stream: BinaryIO, form: str) -> tuple[Any, ...]:
    form = f"<{form}"
    return struct.unpack(form, stream.read(struct.calcsize(form)))


def _string(stream: BinaryIO) -> str:
    (length,) = _unpack(stream, "Q")
    if length > _LONGEST_STRING:
        raise ValueError(f"a string of {length} bytes")
    return stream.read(length).decode()


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(stream)
    if kind == _ARRAY:
        element, length = _unpack(stream, "IQ")
        for _ in range(length):
            _value(stream, element)
        return None
    return _unpack(stream, _SCALARS[kind])[0]
