"""One connection to Alpaca's stream: logged in, subscribed, and judged when it says no."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from riskee.errors import FatalError, PoisonError, RetryableError, RiskeeError
from riskee.logs import get_logger
from riskee.market.sources.alpaca_access import KEYS, require_keys, require_private, without_secrets
from riskee.settings import AlpacaSettings
from riskee.telemetry import FEED_UNREADABLE
from serving.consumers.feeds.alpaca.wire import CONTROL, Control, Market, Message, Refused, decode, encode

# A frame may hold the minute bars of all tickers.
_LARGEST_FRAME = 1 << 24
# Symbols of one subscription; a longer list is sent in parts.
_SYMBOLS_AT_ONCE = 500
_ANSWER_SECONDS = 10.0

# The stream's codes; those that are not named here pass.
_INVALID, _AUTH_FAILED, _LOGGED_IN, _TOO_MANY_SYMBOLS = 400, 402, 403, 405
_TOO_MANY_CONNECTIONS, _NOT_IN_PLAN, _NO_CHANNEL = 406, 409, 410

_log = get_logger(__name__)
# websockets logs each frame at DEBUG, the one with the key too: it must not, whatever level is set.
_frames = logging.getLogger(f"{__name__}.frames")
_frames.setLevel(logging.WARNING)


class ConnectionTakenError(RetryableError):
    """The plan's only connection is in use."""


@dataclass(frozen=True)
class Subscription:
    """What became of a wish: the symbols that are subscribed, and why others are not."""

    accepted: Sequence[str]
    missing: Sequence[str] = ()
    reason: str = ""


@dataclass
class Stream:
    """A connection that is logged in. Raises RetryableError where it breaks."""

    settings: AlpacaSettings
    _socket: ClientConnection
    # What came between a question and its answer.
    _early: list[Market] = field(default_factory=list)

    async def messages(self) -> AsyncIterator[list[Market]]:
        """Market data as it comes. Raises as the stream's complaints are judged, or when it ends."""
        if self._early:
            early, self._early = self._early, []
            yield early
        while True:
            found: list[Market] = []
            for message in await self._receive():
                if isinstance(message, Refused):
                    raise judged(message, self.settings)
                if not isinstance(message, CONTROL):
                    found.append(message)
            if found:
                yield found

    async def subscribe(self, channels: Collection[str], symbols: Sequence[str]) -> Subscription:
        """Subscribe to as many of the symbols, in their order, as the plan allows.

        A refused list leaves everything as it was, so it is halved: what fits is found in few steps, and a symbol that
        the stream does not know is left out alone.
        """
        accepted: list[str] = []
        unknown: list[str] = []
        at, size = 0, _SYMBOLS_AT_ONCE
        while at < len(symbols):
            part = symbols[at : at + size]
            refused = await self._ask({"action": "subscribe"} | {channel: list(part) for channel in channels})
            if refused is None:
                accepted += part
                at += len(part)
            elif refused.code == _NO_CHANNEL:
                return Subscription((), symbols, "this feed does not have them")
            elif refused.code not in {_INVALID, _TOO_MANY_SYMBOLS}:
                raise judged(refused, self.settings)
            elif len(part) > 1:
                size = len(part) // 2
            elif refused.code == _INVALID:
                unknown += part
                at, size = at + 1, _SYMBOLS_AT_ONCE
            else:
                return Subscription(accepted, [*unknown, *symbols[at:]], f"the plan allows {len(accepted)} symbols")
        return Subscription(accepted, unknown, "the stream does not know them" if unknown else "")

    async def log_in(self) -> None:
        """Say who we are. Raises FatalError where the stream does not want us."""
        welcome = await self._control()
        if isinstance(welcome, Refused):
            raise judged(welcome, self.settings)
        key, secret = require_keys(self.settings)
        refused = await self._ask({"action": "auth", "key": key, "secret": secret})
        if refused is not None and refused.code != _LOGGED_IN:
            raise judged(refused, self.settings)

    async def _ask(self, question: dict[str, object]) -> Refused | None:
        """None where the answer is yes."""
        with _breaking():
            await self._socket.send(encode(question))
        answer = await self._control()
        return answer if isinstance(answer, Refused) else None

    async def _control(self) -> Control:
        """The next answer; market data that come before it are kept."""
        with _breaking():
            async with asyncio.timeout(_ANSWER_SECONDS):
                while True:
                    messages = await self._receive()
                    self._early += [message for message in messages if not isinstance(message, CONTROL)]
                    answers = [message for message in messages if isinstance(message, CONTROL)]
                    if answers:
                        return answers[-1]

    async def _receive(self) -> list[Message]:
        with _breaking():
            frame = await self._socket.recv(decode=False)
        try:
            messages, unreadable = decode(frame)
        except PoisonError as error:
            _log.warning("a frame was left out", cause=without_secrets(self.settings, str(error)))
            messages, unreadable = [], 1
        FEED_UNREADABLE.labels("alpaca").inc(unreadable)
        return messages


@asynccontextmanager
async def open_stream(settings: AlpacaSettings) -> AsyncIterator[Stream]:
    """A connection that is logged in.

    Raises RetryableError where it does not come about, FatalError where it never will: a wrong key, a feed that is not
    in the plan.
    """
    url = require_private(settings.stream.url, "RISKEE_ALPACA__STREAM__URL")
    with _breaking():
        socket = await connect(
            f"{url}/v2/{settings.feed}",
            open_timeout=settings.timeout_seconds,
            ping_interval=settings.stream.ping_seconds,
            ping_timeout=settings.stream.ping_seconds,
            close_timeout=1,
            max_size=_LARGEST_FRAME,
            logger=_frames,
        )
    try:
        stream = Stream(settings, socket)
        await stream.log_in()
        yield stream
    finally:
        await socket.close()


def judged(refused: Refused, settings: AlpacaSettings) -> RiskeeError:
    """What a complaint of the stream means for us."""
    said = f"Alpaca's stream says {refused.code}: {without_secrets(settings, refused.msg)}"
    if refused.code == _AUTH_FAILED:
        return FatalError(said, f"check {KEYS}")
    if refused.code == _NOT_IN_PLAN:
        return FatalError(said, f"RISKEE_ALPACA__FEED={settings.feed} is not in your plan: a free one has iex")
    if refused.code == _TOO_MANY_CONNECTIONS:
        return ConnectionTakenError(said, "end what else uses the key: most plans allow one connection")
    return RetryableError(said, "it is tried again")


@contextmanager
def _breaking() -> Iterator[None]:
    """What breaks a connection, as RetryableError."""
    try:
        yield
    except (WebSocketException, OSError, TimeoutError) as error:
        raise RetryableError(
            f"Alpaca's stream broke off: {type(error).__name__}: {error}", "it is connected again"
        ) from error
