"""The messages of Alpaca's stock stream, as its documentation lists them. Fields that are not used are left out."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from riskee.errors import PoisonError
from riskee.messaging.messages import Ticker

# What is not so is counted as unreadable and left out: one zero would make a whole day's bar a wrong one.
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Price = Annotated[float, msgspec.Meta(gt=0)]
Shares = Annotated[float, msgspec.Meta(ge=0)]
# What a decoder raises for bytes that are none of its messages: broken letters and endless brackets are no DecodeError.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Message(msgspec.Struct, tag_field="T"):
    """Base of all messages: `T` says which one it is."""


class TradeMessage(
    _Message,
    tag="t",
    rename={
        "symbol": "S",
        "number": "i",
        "exchange": "x",
        "price": "p",
        "size": "s",
        "conditions": "c",
        "time": "t",
        "tape": "z",
    },
):
    """A trade."""

    symbol: Ticker
    number: int
    exchange: str
    price: Price
    size: Shares
    time: Time
    conditions: tuple[str, ...] | None = ()
    tape: str = ""


class QuoteMessage(_Message, tag="q", rename={"symbol": "S", "time": "t"}):
    """A bid and an offer: here a sign of life only."""

    symbol: Ticker
    time: Time


_BAR = {"symbol": "S", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "time": "t"}


class MinuteMessage(_Message, tag="b", rename=_BAR):
    """A minute bar, sent right after its minute; `time` is its beginning."""

    symbol: Ticker
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Shares
    time: Time


class UpdatedMinuteMessage(MinuteMessage, tag="u", rename=_BAR):
    """A minute bar once more, with the trades that came late."""


class StatusMessage(
    _Message,
    tag="s",
    rename={
        "symbol": "S",
        "code": "sc",
        "message": "sm",
        "reason_code": "rc",
        "reason": "rm",
        "time": "t",
        "tape": "z",
    },
):
    """A halt, a resumption, or what goes on in between."""

    symbol: Ticker
    code: str
    time: Time
    message: str = ""
    reason_code: str = ""
    reason: str = ""
    tape: str = ""


class CorrectionMessage(
    _Message,
    tag="c",
    rename={
        "symbol": "S",
        "exchange": "x",
        "original": "oi",
        "number": "ci",
        "price": "cp",
        "size": "cs",
        "conditions": "cc",
        "time": "t",
        "tape": "z",
    },
):
    """A trade that happened otherwise; `time` is that of the correction."""

    symbol: Ticker
    exchange: str
    original: int
    number: int
    price: Price
    size: Shares
    time: Time
    conditions: tuple[str, ...] | None = ()
    tape: str = ""


class CancelMessage(_Message, tag="x", rename={"symbol": "S", "number": "i", "exchange": "x", "time": "t"}):
    """A trade that did not happen."""

    symbol: Ticker
    number: int
    exchange: str
    time: Time


class Success(_Message, tag="success"):
    """`connected` or `authenticated`."""

    msg: str


class Subscribed(_Message, tag="subscription"):
    """All that this connection is subscribed to now."""


class Refused(_Message, tag="error"):
    """Why the stream does not do what was asked, or not any longer."""

    code: int
    msg: str = ""


Market = (
    TradeMessage
    | QuoteMessage
    | MinuteMessage
    | UpdatedMinuteMessage
    | StatusMessage
    | CorrectionMessage
    | CancelMessage
)
Control = Success | Subscribed | Refused
Message = Market | Control
CONTROL = (Success, Subscribed, Refused)

_frame = msgspec.json.Decoder(list[Message])
_parts = msgspec.json.Decoder(list[msgspec.Raw])
_message: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


def encode(message: dict[str, Any]) -> str:
    """What a client sends."""
    return _encoder.encode(message).decode()


def decode(frame: bytes) -> tuple[list[Message], int]:
    """The messages of a frame, and how many of it are of a kind or form that is not known here.

    Raises PoisonError for what is no list of messages.
    """
    try:
        return _frame.decode(frame), 0
    except UNREADABLE:
        return _one_by_one(frame)


def _one_by_one(frame: bytes) -> tuple[list[Message], int]:
    """The vendor may add kinds of messages: one of them must not take its neighbours along."""
    try:
        parts = _parts.decode(frame)
    except UNREADABLE as error:
        raise PoisonError(f"Alpaca sent what is no list of messages: {error}", "it is left out") from error
    found: list[Message] = []
    for part in parts:
        try:
            found.append(_message.decode(part))
        except UNREADABLE:
            continue
    return found, len(parts) - len(found)
