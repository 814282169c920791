"""The message bus: NATS JetStream.

A message counts as accepted only when JetStream has acknowledged it. Its id is sent along, so that publishing it
again (after a timeout, say) stores it once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple, Self

import nats
from nats.aio.msg import Msg
from nats.aio.subscription import DEFAULT_SUB_PENDING_BYTES_LIMIT
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from riskee.errors import FatalError, RetryableError
from riskee.logs import get_logger
from riskee.messaging.envelope import Codec, Envelope, PayloadT
from riskee.messaging.streams import MIB, STREAMS, Stream
from riskee.messaging.subjects import Subject
from riskee.settings import NatsSettings
from riskee.storage.client import MESSAGE_ID, LightClient
from riskee.storage.complaints import Complaints
from riskee.storage.receipts import Receipts
from riskee.storage.trust import trusting

# Publications awaiting their acknowledgement at once: beyond it the throughput no longer grows.
WINDOW = 512
ACK_TIMEOUT = 5.0
# What may wait for a listener.
UNREAD_BYTES = DEFAULT_SUB_PENDING_BYTES_LIMIT
# Long enough for a publisher to restart and send its unfinished work again.
DUPLICATE_WINDOW = timedelta(minutes=10)
SMALLEST_STREAM = 16 * MIB
# JetStream's codes for "not enough room for a stream of this size".
_NO_ROOM = {10028, 10047}
# From here on a status says that the server cannot for now, below it that it never will.
_SERVERS_FAULT = 500

_log = get_logger(__name__)


@cache
def codec_of(subject: Subject[Any]) -> Codec[Any]:
    """The codec of a subject, made once per process."""
    return subject.codec


class Outgoing(NamedTuple):
    """One message, encoded."""

    subject: str
    message_id: str
    data: bytes


@dataclass
class Bus:
    """A connection that comes back by itself. Make it with `connect`."""

    settings: NatsSettings
    client: LightClient
    jetstream: JetStreamContext
    receipts: Receipts

    @classmethod
    async def connect(cls, settings: NatsSettings, name: str, timeout: float | None = None) -> Self:
        """Connect; a service waits for the server for ever, anybody else gives a timeout in seconds.

        Raises RetryableError where the server has not answered within the timeout.
        """

        async def connected_again() -> None:
            _log.info("bus connected again")

        client = LightClient()
        receipts = Receipts(client)

        async def disconnected() -> None:
            receipts.abandon()

        try:
            await asyncio.wait_for(
                client.connect(
                    settings.url.get_secret_value().split(","),
                    name=name,
                    tls=trusting(settings.authority),
                    # An inbox of its own: where the server knows users, none may listen to the answers of another.
                    inbox_prefix=f"_INBOX.{name}",
                    # Ours come from the table of subjects, and the server's replies from the server.
                    skip_subject_validation=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    connect_timeout=2,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    # Its bound method: the client takes no object that is called.
                    error_cb=Complaints(time.monotonic).__call__,
                    disconnected_cb=disconnected,
                    reconnected_cb=connected_again,
                ),
                timeout,
            )
        except (TimeoutError, OSError, nats.errors.Error) as error:
            raise RetryableError(
                "the message bus does not answer", "`riskee status` shows whether nats runs"
            ) from error
        return cls(settings, client, client.jetstream(timeout=ACK_TIMEOUT), receipts)

    @property
    def connected(self) -> bool:
        return bool(self.client.is_connected)

    @property
    def closed(self) -> bool:
        """Whether the connection will not come back: the client gives up where the server calls it to order, as one
        that reads too slowly, say."""
        return bool(self.client.is_closed)

    async def close(self) -> None:
        """Send what is buffered and disconnect."""
        if self.client.is_connected:
            await self.client.drain()
        else:
            await self.client.close()

    async def ensure_streams(self) -> None:
        """Create or update every stream of the table. Doing it again changes nothing.

        Those that are as they should be are left alone: that needs no right but to look.
        """
        for stream in STREAMS:
            await self._ensure(stream)

    async def _ensure(self, stream: Stream) -> None:
        size = min(stream.max_bytes, self.settings.store_limit_bytes or stream.max_bytes)
        while True:
            try:
                await self._put_stream(_configuration(stream, size, self.settings.replicas))
            except APIError as error:
                no_room = error.err_code in _NO_ROOM
                if not no_room and (error.code or 0) >= _SERVERS_FAULT:
                    raise RetryableError(
                        f"stream {stream.name} cannot be made yet: {error.description}", "it is tried again"
                    ) from error
                if not no_room or size <= SMALLEST_STREAM:
                    raise FatalError(
                        f"stream {stream.name} cannot be made: {error.description}",
                        "free disk space, or set RISKEE_NATS__STORE_LIMIT_BYTES",
                    ) from error
                size = max(size // 2, SMALLEST_STREAM)
                _log.warning("the disk is small for the stream", stream=stream.name, tried_next=size)
            except (nats.errors.Error, TimeoutError) as error:
                raise RetryableError("the message bus does not answer", "it is tried again") from error
            else:
                return

    async def _put_stream(self, configuration: StreamConfig) -> None:
        try:
            info = await self.jetstream.stream_info(str(configuration.name))
        except NotFoundError:
            await self.jetstream.add_stream(configuration)
        else:
            if _differs(configuration, info.config):
                await self.jetstream.update_stream(configuration)

    async def publish(self, subject: Subject[PayloadT], *envelopes: Envelope[PayloadT]) -> None:
        """Publish and wait until JetStream has acknowledged every one.

        Raises RetryableError where one was not; publishing all again is safe.
        """
        codec = codec_of(subject)
        await self.publish_encoded(
            [Outgoing(subject.name, str(envelope.message_id), codec.encode(envelope)) for envelope in envelopes]
        )

    async def publish_encoded(self, messages: Sequence[Outgoing]) -> None:
        """As `publish`, for messages of any subject."""
        for start in range(0, len(messages), WINDOW):
            await self._publish_window(messages[start : start + WINDOW])

    async def _publish_window(self, messages: Sequence[Outgoing]) -> None:
        if not self.connected:
            raise RetryableError("the message bus is away", "they are published again")
        try:
            window = await self.receipts.open(len(messages))
            try:
                for message in messages:
                    await self.client.publish(
                        message.subject, message.data, window.reply, {MESSAGE_ID: message.message_id}
                    )
                async with asyncio.timeout(ACK_TIMEOUT):  # without a task of its own, as wait_for would have
                    await window.complete.wait()
            finally:
                self.receipts.close(window)
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(
                f"{len(messages)} messages were not accepted: {error!r}", "they are published again"
            ) from error
        if window.reason:
            missing = window.refused + window.awaited
            raise RetryableError(
                f"{missing} of {len(messages)} messages were not accepted: {window.reason}", "they are published again"
            )

    async def tell(self, subject: Subject[PayloadT], envelope: Envelope[PayloadT]) -> None:
        """Send to whoever listens now, in no stream; dropped while the bus is away."""
        if self.connected:
            with suppress(nats.errors.Error):
                await self.client.publish(subject.name, codec_of(subject).encode(envelope))

    async def listen(
        self, subject: str, callback: Callable[[Msg], Awaitable[None]], unread_bytes: int = UNREAD_BYTES
    ) -> None:
        """Call back for each message published from now on, without history or acknowledgement; what comes while so
        many bytes wait for it is lost. Raises RetryableError where the connection was closed."""
        try:
            await self.client.subscribe(subject, cb=callback, pending_bytes_limit=unread_bytes)
        except nats.errors.Error as error:
            raise RetryableError("the message bus does not answer", "it is tried again") from error


def _differs(wanted: StreamConfig, found: StreamConfig) -> bool:
    """Whether the server has another configuration in anything that we ask for."""
    asked, there = wanted.as_dict(), found.as_dict()
    return any(there.get(name) != value for name, value in asked.items())


def _configuration(stream: Stream, max_bytes: int, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        description=stream.purpose,
        subjects=list(stream.subjects),
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        max_age=stream.max_age.total_seconds(),
        max_bytes=max_bytes,
        max_msgs=-1,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW.total_seconds(),
    )
