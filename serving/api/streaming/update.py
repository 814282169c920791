"""What waits for clients: messages encoded once for all, and fates of numbers that are told in groups."""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from struct import pack
from typing import NamedTuple

import msgspec

from riskee.messaging.statuses import meaning_of
from serving.api.standing import Number, Reason
from serving.api.streaming.messages import CompleteMessage, PredictionMessage, Sent, StatusMessage

ALL = "*"
_encoder = msgspec.json.Encoder()
# A WebSocket frame's first byte: a whole message of text. Then its size, in one of three forms.
_TEXT = 0x81
_SHORT, _MEDIUM = 126, 1 << 16


class Kind(StrEnum):
    """What of a ticker there is a newest of. In a line, a later item of the same kind and ticker takes its place."""

    SUBSCRIBED = "subscribed"
    STANDING = "standing"
    PREDICTION = "prediction"
    HAPPENED = "happened"
    EXPLAINING = "explaining"
    EXPLAINED = "explained"
    COMPLETE = "complete"
    HEARTBEAT = "heartbeat"
    ERROR = "error"

    # An enumeration's own is slow, and every item of every client is looked up by it.
    __hash__ = str.__hash__


class Key(NamedTuple):
    """Whose place an item takes; where it is about no ticker, `ticker` is empty."""

    kind: Kind
    ticker: str = ""


class Update:
    """A message, encoded once, and the header that makes it a WebSocket frame; shared by all who are sent it."""

    __slots__ = ("body", "header", "resumable", "sequence", "type")

    def __init__(self, message: Sent) -> None:
        self.sequence = message.sequence
        self.type = str(message.__struct_config__.tag)
        self.body = _encoder.encode(message)
        self.header = _header(len(self.body))
        # From here on the client can resume.
        self.resumable = isinstance(message, CompleteMessage) or getattr(message, "resumed", False)


class Fate(NamedTuple):
    """What has become of one ticker's number, or of all; told together with those of the same sequence."""

    sequence: int
    reason: Reason
    standing: bool


Item = Update | Fate


def _header(size: int) -> bytes:
    if size < _SHORT:
        return pack("!BB", _TEXT, size)
    if size < _MEDIUM:
        return pack("!BBH", _TEXT, 126, size)
    return pack("!BBQ", _TEXT, 127, size)


def prediction_update(sequence: int, number: Number, *, snapshot: bool) -> Update:
    """The update that carries a prediction."""
    return Update(PredictionMessage(sequence, snapshot, number.status, number.since, number.prediction))


@lru_cache(maxsize=256)
def status_update(sequence: int, status: Reason, tickers: tuple[str, ...], standing: bool) -> Update:
    """The update that tells a fate. Many clients are told the same."""
    meaning = meaning_of[status.status]
    since: datetime = status.since
    told = meaning.last_known, meaning.text, meaning.next_step
    return Update(StatusMessage(sequence, status.status, since, tickers, standing, *told))
