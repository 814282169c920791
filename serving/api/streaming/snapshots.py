"""The last known predictions for those who begin to listen: read once and encoded once for all who come together."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.messaging.messages import Prediction
from serving.api.bounded import IMPATIENT_SECONDS
from serving.api.coalesced import Coalesced
from serving.api.hub import Hub
from serving.api.reading import Reader
from serving.api.streaming.update import Update, prediction_update

# Tickers of one read, about: more would hold up the event loop, and take the database too long for the impatient.
_READ_TICKERS = 512


class Known(NamedTuple):
    """A prediction that was read; not `current`: there may be a newer one."""

    prediction: Prediction
    current: bool


class Snapshots:
    """Reads predictions, and makes the messages that tell them to whoever did not hear them."""

    def __init__(self, hub: Hub, reader: Reader, clock: Clock) -> None:
        self._hub = hub
        self._reader = reader
        self._clock = clock
        self._cached = Coalesced(reader.cached, _READ_TICKERS)
        self._stored = Coalesced(reader.stored, _READ_TICKERS)
        # Those that were made since the last event, and of what: all who share a read share them.
        self._made: dict[str, tuple[Prediction, Update]] = {}
        self._sequence = 0

    async def known(self, tickers: Sequence[str]) -> dict[str, Known]:
        """The last predictions that can be read. Raises RetryableError where neither the cache nor the database
        answers."""
        cached = await self._cached.all(tickers)
        found = {ticker: Known(cached[ticker], current=True) for ticker in tickers if ticker in cached}
        missing = [ticker for ticker in tickers if ticker not in found]
        if missing:
            stored = await self._missing(missing, others=bool(found))
            found |= {ticker: Known(stored[ticker], current=False) for ticker in missing if ticker in stored}
        return found

    async def _missing(self, tickers: Sequence[str], *, others: bool) -> Mapping[str, Prediction]:
        """As `Reader.missing`, in a read that is shared."""
        try:
            async with asyncio.timeout(IMPATIENT_SECONDS if others else None):
                return await self._stored.all(tickers)
        except (RetryableError, TimeoutError):
            if not others:
                raise
            return {}

    def update(self, ticker: str, known: Known | None) -> Update | None:
        """The message of a ticker's last prediction, be it the one that was read or one that came since; None where
        there is none. It holds until the next turn of the loop."""
        newer = self._hub.newer(ticker, known.prediction if known else None)
        if newer is not None:
            return self._encoded(Known(newer, current=True))
        if known is None:
            return None
        if self._sequence != self._hub.log.sequence:
            self._sequence = self._hub.log.sequence
            self._made.clear()
        made = self._made.get(ticker)
        if made is None or made[0] is not known.prediction:
            made = self._made[ticker] = known.prediction, self._encoded(known)
        return made[1]

    def _encoded(self, known: Known) -> Update:
        number = self._reader.judge(known.prediction, self._clock.now(), current=known.current)
        return prediction_update(self._hub.log.sequence, number, snapshot=True)
