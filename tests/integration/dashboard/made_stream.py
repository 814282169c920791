"""A stream that says what a test wants, in the browser's network, instead of the API's."""

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
from playwright.async_api import Page, WebSocketRoute

from riskee.messaging.messages import Prediction

MEANINGS = {"predict_silent": "The predictor or the message bus is not heard."}


@dataclass
class MadeStream:
    """Connections that are accepted and then silent, until the test speaks on the newest of them."""

    connections: list[WebSocketRoute] = field(default_factory=list)
    _sent: int = 0

    async def stand_in(self, page: Page) -> None:
        """Take the place of the stream, before the page is opened."""
        await page.route_web_socket("**/v1/stream", self._begin)

    def _begin(self, socket: WebSocketRoute) -> None:
        socket.on_message(lambda _: self._subscribed(socket))

    def _subscribed(self, socket: WebSocketRoute) -> None:
        self.connections.append(socket)
        self.say(type="subscribed", tickers=["*"], epoch="e", resumed=False)

    def predict(self, made: Prediction) -> None:
        prediction = msgspec.to_builtins(made)
        self.say(type="prediction", snapshot=True, status="ok", status_since=None, prediction=prediction)

    def stand(self, status: str, *tickers: str) -> None:
        """Where the feed stands: for some tickers, or for all (none named)."""
        self.say(type="status", status=status, since="2012-01-01T00:00:00Z", tickers=tickers, standing=True,
                 last_known=status in MEANINGS, meaning=MEANINGS.get(status, ""), next_step="")  # fmt: skip

    def say(self, **message: Any) -> None:
        self._sent += 1
        self.connections[-1].send(json.dumps({**message, "sequence": self._sent}))
