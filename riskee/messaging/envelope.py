"""The envelope around every message, and its JSON form (msgspec; unknown fields are refused)."""

import uuid
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from riskee.errors import PoisonError

PayloadT = TypeVar("PayloadT", bound=msgspec.Struct)

# Raised when a payload's meaning changes; a reader refuses versions it does not know.
WIRE_VERSION = 1


class Envelope(msgspec.Struct, Generic[PayloadT], frozen=True, forbid_unknown_fields=True, gc=False):
    """One message.

    `message_id` is derived from the content, so a message sent twice is dropped by JetStream's deduplication.
    `correlation_id` follows one tick through every message it causes.
    """

    message_id: uuid.UUID
    correlation_id: uuid.UUID
    timestamp: datetime
    version: int
    source: str
    payload: PayloadT


def wrap(
    payload: PayloadT, *, message_id: uuid.UUID, correlation_id: uuid.UUID, source: str, at: datetime
) -> Envelope[PayloadT]:
    """An envelope of the current wire version around a payload."""
    return Envelope(message_id, correlation_id, at, WIRE_VERSION, source, payload)


_encode = msgspec.json.Encoder().encode


def seal(body: bytes, *, message_id: uuid.UUID, correlation_id: uuid.UUID, source: str, at: datetime) -> bytes:
    """The same envelope, encoded, around a payload that is encoded already."""
    return _encode(Envelope(message_id, correlation_id, at, WIRE_VERSION, source, msgspec.Raw(body)))


class _Head(msgspec.Struct):
    correlation_id: uuid.UUID


_heads = msgspec.json.Decoder(_Head)


def correlation_of(data: bytes) -> str:
    """The correlation id of a message that nobody else could read, for the log; empty where it has none."""
    try:
        return str(_heads.decode(data).correlation_id)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


class Codec(Generic[PayloadT]):
    """Encodes and decodes the envelopes of one payload type."""

    def __init__(self, payload: type[PayloadT]) -> None:
        self._encoder = msgspec.json.Encoder()
        self._decoder: msgspec.json.Decoder[Envelope[PayloadT]] = msgspec.json.Decoder(Envelope[payload])  # type: ignore[valid-type]

    def encode(self, envelope: Envelope[PayloadT]) -> bytes:
        return self._encoder.encode(envelope)

    def decode(self, data: bytes) -> Envelope[PayloadT]:
        """Raises PoisonError for bytes that are not such an envelope."""
        try:
            envelope = self._decoder.decode(data)
        except msgspec.MsgspecError as error:
            raise PoisonError(
                f"malformed message: {error}", "mend the publisher; the message is in DEAD_LETTER"
            ) from error
        if envelope.version != WIRE_VERSION:
            raise PoisonError(f"message version {envelope.version}, expected {WIRE_VERSION}", "upgrade the older side")
        return envelope
