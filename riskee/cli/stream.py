"""Hearing the API's stream, across connections that break."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from riskee.errors import RetryableError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from riskee.settings import Settings

_REFUSALS = frozenset({401, 403})
_CONNECT_SECONDS = 5.0
# Before the next attempt to connect: twice as long after each that failed.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0

Message = dict[str, Any]


class Follower:
    """What the stream says of some tickers. Once the API has taken the subscription, a connection that breaks is made
    anew, and goes on from where it was: what was missed meanwhile still comes, the newest of each ticker.
    """

    def __init__(
        self,
        settings: "Settings",
        tickers: list[str],
        tell: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`tell` is told of each break, and when it is over."""
        self._settings = settings
        self._tickers = tickers
        self._tell = tell
        self._sleep = sleep
        self._epoch = ""
        self._sequence = 0
        # Whether all that was asked for has come once: only then there is something to go on from.
        self._complete = False
        self._broken = False

    def messages(self) -> Iterator[Message]:
        """Each message, for ever.

        Raises NotFoundError for an unknown ticker, FatalError for what the caller may not do, and RetryableError where
        the API is away at first, all with its own words.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                for message in self._heard():
                    if self._complete:
                        pause = _FIRST_PAUSE
                    yield message
                cause = "the API closed the stream"
            except RetryableError as error:
                if not self._epoch:
                    raise
                cause = error.cause
            self._broken = True
            self._tell(f"{cause}; connecting again in {pause:g} s")
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _heard(self) -> Iterator[Message]:
        """What one connection says, until it ends."""
        import json

        from riskee.cli.api import problem_error

        request: Message = {"type": "subscribe", "tickers": self._tickers}
        if self._complete:
            request["resume"] = {"epoch": self._epoch, "sequence": self._sequence}
        with _connected(self._settings) as socket:
            socket.send(json.dumps(request))
            for text in socket:
                message = json.loads(text)
                if message["type"] == "error":
                    raise problem_error(message["problem"])
                self._take(message)
                yield message

    def _take(self, message: Message) -> None:
        if message["type"] == "subscribed":
            self._epoch, self._complete = message["epoch"], message["resumed"]
            if self._broken:
                self._broken = False
                self._tell(
                    "connected again; " + ("nothing was lost" if self._complete else "from the latest numbers on")
                )
        elif message["type"] == "complete":
            self._complete = True
        self._sequence = message["sequence"]


def dial(settings: "Settings", seconds: float) -> "ClientConnection":
    """A connection to the stream, made within so many seconds; it asked for nothing yet. Raises as its library."""
    from websockets.sync.client import connect

    from riskee.cli.api import headers

    return connect(
        _url(settings),
        open_timeout=seconds,
        close_timeout=seconds,
        compression=None,
        proxy=None,
        additional_headers=headers(settings),
    )


@contextmanager
def _connected(settings: "Settings") -> Iterator["ClientConnection"]:
    """A connection that raises FatalError for who is not let in, and RetryableError where the API is away or goes away,
    with its own words."""
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

    from riskee.cli.api import is_untrusted, refused, untrusted

    url = _url(settings)
    try:
        with dial(settings, _CONNECT_SECONDS) as socket:
            yield socket
    except InvalidStatus as error:
        if error.response.status_code not in _REFUSALS:
            raise RetryableError(f"the API refuses the stream: {error}", "`riskee status`, then try again") from error
        raise refused(f"the API does not let this stream in: {error}") from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        if is_untrusted(error):
            raise untrusted(url, error) from error
        raise RetryableError(f"the API at {url} does not answer: {error}", "`riskee up` starts it") from error
    except ConnectionClosed as error:
        raise RetryableError(f"the API closed the stream: {error}", "`riskee status`, then try again") from error


def _url(settings: "Settings") -> str:
    from riskee.cli.api import base_url

    return f"{base_url(settings, 'ws')}/v1/stream"
