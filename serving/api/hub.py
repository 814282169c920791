"""Who listens to which ticker, and what all of them are told."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from riskee.messaging.explanations import ExplainProgress, Explanation
from riskee.messaging.messages import Prediction
from serving.api.standing import Notice, Standings, judged
from serving.api.streaming.deliveries import Deliveries
from serving.api.streaming.listener import Listener
from serving.api.streaming.messages import ExplainedMessage, ExplainingMessage, Sent
from serving.api.streaming.newest import Fates, Log
from serving.api.streaming.parts import Parts
from serving.api.streaming.update import ALL, Key, Kind, Update, prediction_update

_LOG_UPDATES = 20_000
# Progress of explanations that may wait for one client; of more the oldest is left out.
_PROGRESS_WAITING = 64
# Listeners that are told of a notice before other work has its turn.
_SLICE = 128


class Hub:
    """Passes on what happens to whom it concerns, and keeps it for those who were away a moment."""

    def __init__(
        self,
        standings: Standings,
        log_updates: int = _LOG_UPDATES,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
        deliveries: Deliveries | None = None,
    ) -> None:
        self.deliveries = deliveries or Deliveries()
        self.log = Log(new_id().hex[:12], log_updates)
        self._standings = standings
        self._listeners: defaultdict[str, set[Listener]] = defaultdict(set)
        self._last: dict[str, Prediction] = {}
        self._progress = 0
        # One thing is told to all before the next, so that no listener's sequence falls.
        self._parts = Parts()

    def subscribe(self, listener: Listener, tickers: Iterable[str]) -> None:
        """Let a listener have what concerns these tickers; `*`: all."""
        for ticker in tickers:
            self._listeners[ticker].add(listener)
            listener.tickers.add(ticker)

    def unsubscribe(self, listener: Listener, tickers: Iterable[str]) -> None:
        """The opposite; of a ticker that is not listened to nothing changes."""
        for ticker in tickers:
            self._listeners[ticker].discard(listener)
            listener.tickers.discard(ticker)
            if not self._listeners[ticker]:
                del self._listeners[ticker]

    def newer(self, ticker: str, known: Prediction | None) -> Prediction | None:
        """The last prediction of a ticker that was published here, where it is newer than the one that is known."""
        last = self._last.get(ticker)
        return last if last and (known is None or _before(known, last)) else None

    def publish(self, prediction: Prediction) -> None:
        """Tell of a new prediction; not of one from an older quote of the feed than the last, which comes of a
        predictor that stood still for a while."""
        last = self._last.get(prediction.ticker)
        if last and last.feed == prediction.feed and prediction.data_time < last.data_time:
            return
        self._last[prediction.ticker] = prediction
        self._standings.predicted(prediction)
        number = judged(prediction, self._standings.reasons(prediction))

        def made(sequence: int) -> Update:
            update = prediction_update(sequence, number, snapshot=False)
            self.deliveries.expect(update, prediction)
            return update

        self._tell(Key(Kind.PREDICTION, prediction.ticker), made)

    def explained(self, explanation: Explanation) -> None:
        """Tell of an explanation."""
        self._tell(
            Key(Kind.EXPLAINED, explanation.ticker), lambda sequence: Update(ExplainedMessage(sequence, explanation))
        )

    def explaining(self, progress: ExplainProgress) -> None:
        """Tell how far an explanation is, which nobody is told later."""
        self._progress = (self._progress + 1) % _PROGRESS_WAITING
        self._parts.do(self._progressed(Key(Kind.EXPLAINING, str(self._progress)), progress))

    def say(self, listeners: Iterable[Listener], key: Key, made: Callable[[int], Sent]) -> asyncio.Future[None]:
        """Tell these listeners where all are, when they have got what is being told to all: who is told a sequence goes
        on from there, and would never get what was to come before. Done with the future, at once where nothing is being
        told."""
        said = asyncio.get_running_loop().create_future()
        self._parts.do(self._said(listeners, key, made, said))
        return said

    def notify(self, notices: Sequence[Notice]) -> None:
        """Tell everyone whom it concerns what has become of the numbers."""
        for notice in notices:
            self._parts.do(self._notified(notice))

    def _notified(self, notice: Notice) -> Iterator[None]:
        fates = Fates(self.log.next(), notice)
        for key, fate in fates.items.items():
            self.log.keep(key, fate)
        named = [*notice.tickers, ALL] if notice.tickers else [*self._listeners]
        everyone: set[Listener] = set().union(*(self._listeners.get(ticker, ()) for ticker in named))
        for place, listener in enumerate(everyone, start=1):
            listener.notify(fates)
            if place % _SLICE == 0:
                yield

    def _said(
        self, listeners: Iterable[Listener], key: Key, made: Callable[[int], Sent], said: asyncio.Future[None]
    ) -> Iterator[None]:
        update = Update(made(self.log.sequence))
        for listener in listeners:
            listener.offer(key, update)
        if not said.done():  # whoever waited for it may be gone
            said.set_result(None)
        yield from ()

    def _tell(self, key: Key, made: Callable[[int], Update]) -> None:
        self._parts.do(self._told(key, made))

    def _told(self, key: Key, made: Callable[[int], Update]) -> Iterator[None]:
        update = made(self.log.next())
        self.log.keep(key, update)
        self._offer(key, update)
        yield from ()

    def _progressed(self, key: Key, progress: ExplainProgress) -> Iterator[None]:
        self._offer(key, Update(ExplainingMessage(self.log.sequence, progress)), progress.ticker)
        yield from ()

    def _offer(self, key: Key, update: Update, ticker: str = "") -> None:
        for listener in self._concerned(ticker or key.ticker):
            listener.offer(key, update)

    def _concerned(self, ticker: str) -> Iterator[Listener]:
        """Who listens to a ticker; one who listens to all as well may come twice."""
        yield from self._listeners.get(ticker, ())
        yield from self._listeners.get(ALL, ())


def _before(one: Prediction, other: Prediction) -> bool:
    if one.feed == other.feed:
        return one.data_time < other.data_time
    return one.prediction_time < other.prediction_time
