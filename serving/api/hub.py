"""Who listens to which ticker. A slow listener gets the latest of each ticker, never a backlog."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from riskee.messaging.messages import Prediction
from riskee.messaging.statuses import Status
from serving.api.standing import Notice, Number, Reason, Standings, judged

ALL = "*"


class Update(msgspec.Struct, frozen=True):
    """What waits for a listener: a prediction, encoded once for all."""

    prediction: msgspec.Raw
    status: Status
    status_since: datetime | None
    snapshot: bool


@dataclass(eq=False)
class Listener:
    """One connection's subscriptions and what waits for it: at most one update and one status for each ticker."""

    tickers: set[str] = field(default_factory=set)
    _waiting: dict[str, Update] = field(default_factory=dict)
    # What holds of all and of some tickers until it is said anew, and what happened to some since their prediction.
    _for_all: Reason | None = None
    _standing: dict[str, Reason] = field(default_factory=dict)
    _happened: dict[str, Reason] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, ticker: str, update: Update) -> None:
        """Put an update in line. A waiting one of the ticker is replaced, but no update by a snapshot."""
        if update.snapshot and ticker in self._waiting:
            return
        self._waiting[ticker] = update
        # What happened to the number before this one.
        self._happened.pop(ticker, None)
        self._arrived.set()

    def notify(self, notice: Notice) -> None:
        """Put a notice in line, for the tickers that are listened to."""
        if not notice.tickers:
            self._for_all, self._standing = notice.reason, {}
        line = self._standing if notice.standing else self._happened
        line.update((each, notice.reason) for each in notice.tickers if self.tickers & {each, ALL})
        if self._for_all or line:
            self._arrived.set()

    async def take(self) -> list[Update | Notice]:
        """All that waits, at least one: where all stand, then the predictions, then what happened to some after."""
        await self._arrived.wait()
        self._arrived.clear()
        waiting: list[Update | Notice] = [Notice(self._for_all)] if self._for_all else []
        waiting += _grouped(self._standing, standing=True)
        waiting += self._waiting.values()
        waiting += _grouped(self._happened, standing=False)
        self._for_all, self._standing, self._waiting, self._happened = None, {}, {}, {}
        return waiting


def _grouped(reasons: Mapping[str, Reason], *, standing: bool) -> Iterator[Notice]:
    """A notice for each reason, with its tickers."""
    for reason in dict.fromkeys(reasons.values()):
        yield Notice(reason, tuple(ticker for ticker, why in reasons.items() if why == reason), standing)


class Hub:
    """Passes predictions on to the listeners of their ticker, with all that is against them."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
        self._encoder = msgspec.json.Encoder()
        # Of each ticker the last prediction's feed and moment.
        self._last: dict[str, tuple[str, datetime]] = {}

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
        """Offer a new prediction to everyone who wants it; not one from an older quote of the feed than the last, which
        comes of a predictor that stood still for a while."""
        last = self._last.get(prediction.ticker)
        if last and last[0] == prediction.feed and prediction.data_time < last[1]:
            return
        self._last[prediction.ticker] = (prediction.feed, prediction.data_time)
        self._standings.predicted(prediction)
        listeners = self._listeners.get(prediction.ticker, set()) | self._listeners.get(ALL, set())
        if not listeners:
            return
        number = judged(prediction, self._standings.reasons(prediction))
        update = self.update(number, snapshot=False)
        for listener in listeners:
            listener.offer(prediction.ticker, update)

    def update(self, number: Number, *, snapshot: bool) -> Update:
        """The update that carries a prediction."""
        return Update(msgspec.Raw(self._encoder.encode(number.prediction)), number.status, number.since, snapshot)

    def notify(self, notices: Sequence[Notice]) -> None:
        """Tell everyone whom it concerns what has become of the numbers."""
        if not notices:
            return
        for listener in set().union(*self._listeners.values()):
            for notice in notices:
                listener.notify(notice)
