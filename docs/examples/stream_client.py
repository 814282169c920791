"""Follow predictions, across broken connections: `python stream_client.py ws://127.0.0.1:8000 AAPL IBM`."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

Message = dict[str, Any]
# Seconds before the next attempt to connect: twice as many after each that failed.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
# Refusals that end by themselves: too slow, or too many requests.
PASSING = {408, 429}

log = logging.getLogger(__name__)


def is_final(status: int) -> bool:
    """Whether a refusal stays one, however often it is asked."""
    return 400 <= status < 500 and status not in PASSING


class RefusedError(Exception):
    """The API cannot meet the request, however often it is asked."""


class Follower:
    """What is known of some tickers: `latest` has the newest prediction of each."""

    def __init__(self, url: str, tickers: list[str]) -> None:
        self.latest: dict[str, Message] = {}
        self.resumes = 0
        self._url = f"{url}/v1/stream"
        self._tickers = tickers
        self._epoch = ""
        self._sequence = 0
        # Whether everything that was asked for has come once: only then there is something to go on from.
        self._complete = False

    async def follow(self) -> AsyncIterator[Message]:
        """Each message, for ever.

        Raises InvalidStatus where the API refuses the connection, RefusedError where it refuses the request.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                async with connect(self._url) as socket:
                    await socket.send(json.dumps(self._request()))
                    async for text in socket:
                        message = json.loads(text)
                        self._take(message)
                        if self._complete:
                            pause = FIRST_PAUSE
                        yield message
                        if message["type"] == "error":
                            # Nothing more will come on this connection: the next one asks again.
                            break
            except InvalidStatus as refused:
                if is_final(refused.response.status_code):
                    raise
                log.warning("refused for now: %s", refused)
            except (OSError, WebSocketException) as error:
                log.warning("connecting again: %s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _request(self) -> Message:
        request: Message = {"type": "subscribe", "tickers": self._tickers}
        if self._complete:
            request["resume"] = {"epoch": self._epoch, "sequence": self._sequence}
        return request

    def _take(self, message: Message) -> None:
        if message["type"] == "subscribed":
            self._epoch = message["epoch"]
            self._complete = message["resumed"]
            self.resumes += message["resumed"]
        elif message["type"] == "complete":
            self._complete = True
        elif message["type"] == "prediction":
            self.latest[message["prediction"]["ticker"]] = message
        elif message["type"] == "error" and is_final(message["problem"]["status"]):
            raise RefusedError(f"{message['problem']['detail']}: {message['problem']['next_step']}")
        self._sequence = message["sequence"]


async def main() -> None:
    """Write each prediction to the standard output."""
    url, *tickers = sys.argv[1:]
    async for message in Follower(url, tickers).follow():
        if message["type"] == "prediction":
            prediction = message["prediction"]
            told = prediction["ticker"], prediction["price"], prediction["predicted_price"], message["status"]
            sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    asyncio.run(main())
