"""Who listens to which ticker. A slow listener gets the latest of each ticker, never a backlog."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from riskee.messaging.messages import Prediction

ALL = "*"


class Update(msgspec.Struct, frozen=True):
    """What waits for a listener: a prediction, encoded once for all."""

    prediction: msgspec.Raw
    snapshot: bool


@dataclass(eq=False)
class Listener:
    """One connection's subscriptions and what waits for it: at most one update for each ticker."""

    tickers: set[str] = field(default_factory=set)
    _waiting: dict[str, Update] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, ticker: str, update: Update) -> None:
        """Put an update in line. A waiting one of the ticker is replaced, but no update by a snapshot."""
        if update.snapshot and ticker in self._waiting:
            return
        self._waiting[ticker] = update
        self._arrived.set()

    async def take(self) -> list[Update]:
        """All that waits, at least one, oldest first."""
        await self._arrived.wait()
        self._arrived.clear()
        waiting, self._waiting = list(self._waiting.values()), {}
        return waiting


class Hub:
    """Passes predictions on to the listeners of their ticker."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
        self._encoder = msgspec.json.Encoder()

    def subscribe(self, listener: Listener, tickers: Iterable[str]) -> None:
        for ticker in tickers:
            self._listeners[ticker].add(listener)
            listener.tickers.add(ticker)

    def unsubscribe(self, listener: Listener, tickers: Iterable[str]) -> None:
        for ticker in tickers:
            self._listeners[ticker].discard(listener)
            listener.tickers.discard(ticker)
            if not self._listeners[ticker]:
                del self._listeners[ticker]

    def publish(self, prediction: Prediction) -> None:
        """Offer a prediction to everyone who wants it."""
        listeners = self._listeners.get(prediction.ticker, set()) | self._listeners.get(ALL, set())
        if not listeners:
            return
        update = self.update(prediction, snapshot=False)
        for listener in listeners:
            listener.offer(prediction.ticker, update)

    def update(self, prediction: Prediction, *, snapshot: bool) -> Update:
        """The update that carries a prediction."""
        return Update(msgspec.Raw(self._encoder.encode(prediction)), snapshot)
