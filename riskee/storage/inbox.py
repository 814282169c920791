"""A durable push consumer that hands out what has arrived in batches (push is the fastest way, see docs/adr/0040).

What its reader held when it was killed is delivered again after seconds, because a live one keeps saying that it
works on what it holds (docs/adr/0091).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import nats
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from riskee.errors import PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.messaging.streams import stream_of
from riskee.storage.bus import Bus
from riskee.storage.deliveries import Losses
from riskee.storage.holding import Holding, in_order
from riskee.storage.keeping import keeping
from riskee.storage.leaving import unsubscribe

# How much longer the server waits for each further delivery: a stopped process must not use up its deliveries in
# seconds, a killed one must not be waited for.
_PATIENCE = (1, 2, 6, 24, 120)
# Deliveries beyond those that we accept, to dead-letter the message: after the last one it would vanish.
_BURIALS = 10
# Where fewer wait, the others may come together; where more do, what is left unread would only come later.
_FEW = 256
# The part of waiting for others in which the connection rests; in the rest of it what has arrived meanwhile is read.
_RESTING = 0.9

_log = get_logger(__name__)


@dataclass(frozen=True)
class Durable:
    """A named place in a stream, kept by the server. `subject` and those in `also`, of the same stream, may hold
    wildcards; their messages come in the stream's order. Each reader gets every message, so there is one; where it is
    `shared` there may be several, each message goes to one of them, and none sees the stream's order."""

    name: str
    subject: str
    ack_wait_seconds: float = 2.5
    # A message delivered more often than this is dead-lettered unseen: it has killed its reader each time.
    max_deliveries: int = 5
    max_pending: int = 2048
    also: tuple[str, ...] = ()
    shared: bool = False

    @property
    def renewal_seconds(self) -> float:
        """How often what is held is renewed: two renewals may fail before a message is delivered again."""
        return self.ack_wait_seconds / 3


def configuration(durable: Durable) -> ConsumerConfig:
    """A durable as the server keeps it. It begins with the oldest message of its stream."""
    return ConsumerConfig(
        durable_name=durable.name,
        filter_subjects=[durable.subject, *durable.also],
        deliver_subject=_deliver_subject(durable),
        deliver_group=durable.name if durable.shared else None,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=durable.ack_wait_seconds,
        backoff=[durable.ack_wait_seconds * factor for factor in _PATIENCE],
        max_deliver=durable.max_deliveries + _BURIALS,
        max_ack_pending=durable.max_pending,
    )


def _deliver_subject(durable: Durable) -> str:
    # Fixed, so that a restarted service receives on it at once; no stream captures it.
    return f"deliver.{durable.name}"


class Backlog(NamedTuple):
    """How many messages are not acknowledged or not delivered yet, and how many of them this reader should work on."""

    total: int
    due: int


class Inbox:
    """The messages of one durable. Each is acknowledged or terminated by whoever takes it."""

    def __init__(self, bus: Bus, durable: Durable) -> None:
        self.durable = durable
        self._bus = bus
        self._stream = stream_of(durable.subject).name
        self._holding = Holding(f"$JS.ACK.{self._stream}.{durable.name}.1.", 2 * durable.max_pending)
        self._arrived = asyncio.Event()
        self._closed = False
        self.losses = Losses(durable.ack_wait_seconds, monotonic)
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Create or update the durable and start to receive. Raises RetryableError where the bus does not answer."""
        try:
            group = await self._ensure_consumer()
            if self._subscription is None:
                subject = _deliver_subject(self.durable)
                self._subscription = await self._bus.client.subscribe(subject, group, cb=self._receive)
            if not self.losses.inheritance_known:
                await self._inherit()
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"{self.durable.name} cannot consume: {error!r}", "it is tried again") from error

    async def _ensure_consumer(self) -> str:
        """The group among whose readers the server shares; none where it has no name."""
        config = configuration(self.durable)
        try:
            info = await self._bus.jetstream.consumer_info(self._stream, self.durable.name)
        except NotFoundError:
            pass
        else:
            config = keeping(config, info.config, self._stream)
        await self._bus.jetstream.add_consumer(self._stream, config)
        return config.deliver_group or ""

    async def _inherit(self) -> None:
        # Asked for once messages come here: any that is delivered after the answer is not another's.
        info = await self._bus.jetstream.consumer_info(self._stream, self.durable.name)
        self.losses.inherit(info.num_ack_pending or 0, info.delivered.stream_seq if info.delivered else 0)

    async def _receive(self, message: Msg) -> None:
        # Nobody would take it from a closed inbox: it is delivered again, to whoever reads next.
        if not self._closed:
            self._holding.waiting.append(message)
            self.losses.arrived(message)
            self._arrived.set()

    async def take(self, count: int, linger_seconds: float = 0.0) -> Sequence[Msg]:
        """The next messages, at least one; none once the inbox is closed and empty.

        Where there are fewer than `count`, others are waited for so long.
        """
        while True:
            while not self._holding.waiting:
                if self._closed:
                    return ()
                self._arrived.clear()
                await self._arrived.wait()
            if linger_seconds and len(self._holding.waiting) < count and not self._closed:
                await self._gather(linger_seconds)
            if fresh := await self._next(count):
                return fresh

    async def _gather(self, seconds: float) -> None:
        """Let others arrive: where they come one by one, all at once."""
        if len(self._holding.waiting) < _FEW:
            await self._bus.client.rest(_RESTING * seconds)
            seconds -= _RESTING * seconds
        await asyncio.sleep(seconds)

    async def take_more(self, count: int) -> Sequence[Msg]:
        """What was taken last and is not finished, and up to `count` that have arrived since, if any; in the order of
        their stream, though some may have come late."""
        await self._next(count)
        return in_order(self._holding.taken)

    async def _next(self, count: int) -> Sequence[Msg]:
        """What has arrived, without copies of what was delivered several times while this process stood still."""
        waiting = self._holding.waiting
        arrived = [waiting.popleft() for _ in range(min(count, len(waiting)))]
        self.losses.note(arrived)
        fresh, finished = self._holding.sift(arrived)
        await self.ack(finished)
        return fresh

    def refuse_endless(self, message: Msg) -> None:
        """Raises PoisonError for a message whose deliveries have ended without an answer too often."""
        if not self._holding.is_first(message) and message.metadata.num_delivered > self.durable.max_deliveries:
            raise PoisonError(
                f"delivered {self.durable.max_deliveries} times without an end",
                "look for crashes of the service in its log",
            )

    async def ack(self, messages: Sequence[Msg]) -> None:
        """Acknowledge. One that does not get through is delivered again."""
        try:
            for message in messages:
                await message.ack()
        except nats.errors.Error as error:
            _log.warning("acknowledgements are lost", durable=self.durable.name, cause=repr(error))
        self._holding.finish(messages)

    async def terminate(self, message: Msg) -> None:
        """Let a message never be delivered again. Where that does not get through, it is delivered again."""
        try:
            await message.term()
        except nats.errors.Error as error:
            _log.warning("a termination is lost", durable=self.durable.name, cause=repr(error))
        self._holding.finish([message])

    async def renew(self) -> None:
        """Tell the server that what was held at the last call and still is, is in work.

        Without it a message that waits for a server to come back would be delivered again and use up its deliveries.
        Raises RetryableError where the bus is away.
        """
        try:
            for message in self._holding.overdue():
                if not message.is_acked:
                    await message.in_progress()
        except nats.errors.Error as error:
            raise RetryableError(f"{self.durable.name}: {error!r}", "it is tried again") from error

    async def backlog(self) -> Backlog:
        """What waits. A durable that was lost is made again. Raises RetryableError where the bus does not answer."""
        try:
            info = await self._bus.jetstream.consumer_info(self._stream, self.durable.name)
        except NotFoundError:
            _log.warning("the durable was lost and is made again", durable=self.durable.name)
            await self._bus.ensure_streams()
            await self.open()
            return Backlog(0, 0)
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"{self.durable.name}: {error!r}", "it is tried again") from error
        delivered, waiting = info.num_ack_pending or 0, info.num_pending or 0
        # While as many as may be are out with a reader that was killed, the server gives no more.
        deliverable = waiting if delivered < self.durable.max_pending else 0
        return Backlog(waiting + delivered, len(self._holding) + deliverable)

    async def holds_all(self) -> bool:
        """Whether all is here that the server had out when it was asked; one that does not answer has more."""
        try:
            info = await self._bus.jetstream.consumer_info(self._stream, self.durable.name)
        except (nats.errors.Error, TimeoutError):
            return False
        await self._next(self.durable.max_pending)
        return (info.num_ack_pending or 0) <= self._holding.count(info.delivered.stream_seq if info.delivered else 0)

    async def close(self) -> None:
        """Receive no more; what has arrived can still be taken."""
        if self._subscription is not None and not self._closed:
            await unsubscribe(self._bus, self._subscription, self.durable.name)
        self._closed = True
        self._arrived.set()
