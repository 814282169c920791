"""A durable push consumer that hands out what has arrived in batches (push is the fastest way, see docs/adr/0040)."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import nats
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.streams import stream_of
from riskee.storage.bus import Bus

_log = get_logger(__name__)


@dataclass(frozen=True)
class Durable:
    """A named place in a stream, kept by the server. `subject` and those in `also`, of the same stream, may hold
    wildcards; their messages come in the stream's order."""

    name: str
    subject: str
    ack_wait_seconds: float = 30.0
    # A message delivered more often than this is dead-lettered unseen: it has killed its reader each time.
    max_deliveries: int = 5
    max_pending: int = 2048
    also: tuple[str, ...] = ()


class Inbox:
    """The messages of one durable. Each is acknowledged or terminated by whoever takes it."""

    def __init__(self, bus: Bus, durable: Durable) -> None:
        self.durable = durable
        self._bus = bus
        self._stream = stream_of(durable.subject).name
        self._waiting: deque[Msg] = deque()
        self._taken: list[Msg] = []
        self._arrived = asyncio.Event()
        self._closed = False
        self._subscription: object = None

    async def open(self) -> None:
        """Create or update the durable and start to receive. Raises RetryableError where the bus does not answer."""
        try:
            await self._ensure_consumer()
            if self._subscription is None:
                self._subscription = await self._bus.client.subscribe(self._deliver_subject, cb=self._receive)
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"{self.durable.name} cannot consume: {error!r}", "it is tried again") from error

    @property
    def _deliver_subject(self) -> str:
        # Fixed, so that a restarted service receives on it at once; no stream captures it.
        return f"deliver.{self.durable.name}"

    async def _ensure_consumer(self) -> None:
        await self._bus.jetstream.add_consumer(
            self._stream,
            ConsumerConfig(
                durable_name=self.durable.name,
                filter_subjects=[self.durable.subject, *self.durable.also],
                deliver_subject=self._deliver_subject,
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self.durable.ack_wait_seconds,
                # One more than we accept, so that the last delivery can be dead-lettered instead of vanishing.
                max_deliver=self.durable.max_deliveries + 1,
                max_ack_pending=self.durable.max_pending,
            ),
        )

    async def _receive(self, message: Msg) -> None:
        self._waiting.append(message)
        self._arrived.set()

    async def take(self, count: int) -> list[Msg]:
        """The next messages, at least one; none once the inbox is closed and empty."""
        while not self._waiting:
            if self._closed:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        self._taken = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        return self._taken

    async def ack(self, messages: Iterable[Msg]) -> None:
        """Acknowledge. One that does not get through is delivered again."""
        for message in messages:
            if not message.is_acked:
                await message.ack()

    async def keep(self) -> int:
        """Tell the server that the unacknowledged messages are in work, and give the number not yet delivered.

        Without it a message that waits for a server to come back would be delivered again and use up its deliveries.
        """
        try:
            for message in (*self._taken, *self._waiting):
                if not message.is_acked:
                    await message.in_progress()
            info = await self._bus.jetstream.consumer_info(self._stream, self.durable.name)
        except NotFoundError:
            _log.warning("the durable was lost and is made again", durable=self.durable.name)
            await self._bus.ensure_streams()
            await self.open()
            return 0
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"{self.durable.name}: {error!r}", "it is tried again") from error
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def close(self) -> None:
        """Receive no more; what has arrived can still be taken."""
        if self._subscription is not None and not self._closed and self._bus.connected:
            await self._subscription.unsubscribe()  # type: ignore[attr-defined]
        self._closed = True
        self._arrived.set()
