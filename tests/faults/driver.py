"""The load: quotes at a fixed rate, as ingest publishes them, with a list of those that the bus has accepted."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.messaging.envelope import wrap
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import Bus, Outgoing, codec_of
from tests.faults.observing import LONG_AGO
from tests.faults.poison import Poisoner

_RETRY_SECONDS = 0.1


@dataclass
class Driver:
    """Publishes round after round, each until the bus has acknowledged all of it: open loop, so it catches up.

    As in ingest no round goes out before the last one is accepted, and a repetition carries the same ids and times.
    """

    bus: Bus
    rounds: Iterator[list[Quote]]
    rate: float
    clock: Clock
    # The subject of a ticker's quotes.
    subject: Callable[[str], str]
    poisoner: Poisoner | None = None
    accepted: dict[uuid.UUID, Quote] = field(default_factory=dict)
    last_round: list[Quote] = field(default_factory=list)
    # The time of the data that was told last, accepted or not.
    told: datetime = LONG_AGO
    _stopping: bool = False

    @property
    def due(self) -> set[uuid.UUID]:
        """The last quote of each ticker: of those that wait only the newest is predicted."""
        return {quote.quote_id for quote in self.last_round[1:]}

    async def run(self) -> None:
        """Publish until asked to stop; the round under way is finished."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for told in self.rounds:
            if self._stopping:
                return
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += len(told) / self.rate
            await self._publish(told)
        raise RuntimeError("the market has no session left: tell fewer quotes")

    def stop(self) -> None:
        self._stopping = True

    async def _publish(self, told: list[Quote]) -> None:
        self.told = told[0].data_time
        quotes = [msgspec.structs.replace(quote, received_at=self.clock.now()) for quote in told]
        messages = [_outgoing(quote, self.subject(quote.ticker)) for quote in quotes]
        if self.poisoner:
            messages = self.poisoner.mix(messages)
        await until_accepted(self.bus, messages)
        self.accepted.update((quote.quote_id, quote) for quote in quotes)
        self.last_round = quotes


async def until_accepted(bus: Bus, messages: list[Outgoing]) -> None:
    """Publish again and again until the bus has acknowledged every message."""
    while True:
        try:
            await bus.publish_encoded(messages)
        except RetryableError:
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


def _outgoing(quote: Quote, subject: str) -> Outgoing:
    identity = quote.quote_id
    envelope = wrap(quote, message_id=identity, correlation_id=identity, source="ingest", at=quote.received_at)
    return Outgoing(subject, str(identity), codec_of(QUOTE).encode(envelope))
