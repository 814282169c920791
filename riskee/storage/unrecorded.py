"""Quotes that are on the bus and not in the database yet: the stream's tail, behind what record has finished."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import nats
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import NotFoundError

from riskee.errors import PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.messaging.messages import Quote
from riskee.messaging.slots import ALL_SLOTS
from riskee.messaging.streams import stream_of
from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import ACK_TIMEOUT, Bus, codec_of
from riskee.storage.deliveries import delivery_of

RECORDER = "record-quotes"
"""The durable by which quotes become rows: what it has acknowledged is in the database."""
MOST_UNRECORDED = 1_000_000
"""So many quotes are read at most: 13 seconds of a core, below the minute in which something must be finished."""
_STREAM = stream_of(QUOTE.name).name
# So many may be on their way: the server's pace is the reader's.
_MOST_PENDING = 4096

_log = get_logger(__name__)


class _Part(NamedTuple):
    """Places in the stream, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return max(self.last - self.first + 1, 0)


@dataclass(frozen=True)
class Unrecorded:
    """Reads what a durable, `reader`, was given of the quotes and record has not stored."""

    bus: Bus
    reader: str

    async def read(self, take: Callable[[Quote], None], answered: bool) -> None:
        """Hand over each such quote, in the stream's order: all that the reader was given, or as far as it has answered
        for every one. What record stores meanwhile is among them.

        Raises RetryableError where the bus does not answer, and where record is too far behind.
        """
        try:
            part = await self._part(answered)
            if len(part) > 0:
                await self._read(part, take)
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"the stream's tail cannot be read: {error!r}", "it is tried again") from error

    async def _part(self, answered: bool) -> _Part:
        reader, recorder = await self._info(self.reader), await self._info(RECORDER)
        reached = reader and (reader.ack_floor if answered else reader.delivered)
        stored = recorder and recorder.ack_floor
        return _Part(stored.stream_seq + 1 if stored else 1, reached.stream_seq if reached else 0)

    async def _info(self, durable: str) -> ConsumerInfo | None:
        try:
            info: ConsumerInfo = await self.bus.jetstream.consumer_info(_STREAM, durable)
        except NotFoundError:
            return None
        return info

    async def _read(self, part: _Part, take: Callable[[Quote], None]) -> None:
        codec, count = codec_of(QUOTE), 0
        async for messages in self._messages(part):
            for message in messages:
                # One that cannot be read is buried by its reader.
                with suppress(PoisonError):
                    take(codec.decode(message.data).payload)
            count += len(messages)
        _log.info("read from the stream what is not recorded yet", quotes=count, of=self.reader)

    async def _messages(self, part: _Part) -> AsyncIterator[Sequence[Msg]]:
        """What the stream has from a place to another, as it arrives."""
        client, jetstream, arrived = self.bus.client, self.bus.jetstream, asyncio.Event()
        waiting: list[Msg] = []

        async def receive(message: Msg) -> None:
            waiting.append(message)
            arrived.set()

        subscription = await client.subscribe(client.new_inbox(), cb=receive)
        try:
            info = await jetstream.add_consumer(_STREAM, _configuration(subscription.subject, part.first))
            left = min(info.num_pending or 0, len(part))
            if left > MOST_UNRECORDED:
                raise RetryableError(
                    f"{left:,} quotes are not recorded yet, of which no state can be made",
                    "see whether record runs; predictions begin again once it has caught up",
                )
            number = 0
            while left:
                async with asyncio.timeout(ACK_TIMEOUT):
                    await arrived.wait()
                arrived.clear()
                messages, waiting[:] = waiting[:], []
                number += len(messages)
                # The server numbers its deliveries. An answer would answer for those that a broken connection lost.
                if delivery_of(messages[-1].reply).number != number:
                    raise RetryableError("deliveries of the stream's tail were lost", "it is read again")
                await messages[-1].ack()
                yield [message for message in messages if _place(message) <= part.last]
                left = messages[-1].metadata.num_pending if _place(messages[-1]) < part.last else 0
        finally:
            # The server forgets by itself a consumer to which nobody listens.
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()


def _configuration(deliver_subject: str, first: int) -> ConsumerConfig:
    return ConsumerConfig(
        deliver_subject=deliver_subject,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=first,
        filter_subjects=[QUOTE.name, ALL_SLOTS],
        # An answer to one is an answer to all before it.
        ack_policy=AckPolicy.ALL,
        max_ack_pending=_MOST_PENDING,
    )


def _place(message: Msg) -> int:
    return int(delivery_of(message.reply).place)
