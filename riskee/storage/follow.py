"""Reading a subject from a position on, message by message: for state that several processes keep for themselves.

A durable would share the messages among them, and one for each process would be left behind when it goes.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Generic

import nats
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from riskee.errors import PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, PayloadT
from riskee.messaging.streams import stream_of
from riskee.messaging.subjects import Subject
from riskee.storage.bus import Bus, codec_of

_log = get_logger(__name__)


@dataclass
class Follower(Generic[PayloadT]):
    """Follows one subject. `arrived` is set when there may be something new; `position` is the last sequence read."""

    bus: Bus
    subject: Subject[PayloadT]
    arrived: asyncio.Event
    position: int = 0
    _listening: bool = field(default=False, init=False)

    async def last(self) -> Envelope[PayloadT] | None:
        """The newest message of the subject, if any. Raises RetryableError where the bus does not answer."""
        try:
            message = await self.bus.jetstream.get_last_msg(self._stream, self.subject.name)
        except NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError) as error:
            raise self._away(error) from error
        return self._decoded(message.data)

    async def read(self) -> list[Envelope[PayloadT]]:
        """All that came after the position, in order. Raises RetryableError where the bus does not answer."""
        envelopes = []
        try:
            if not self._listening:
                await self.bus.listen(self.subject.name, self._on_message)
                self._listening = True
            if self.position > (await self.bus.jetstream.stream_info(self._stream)).state.last_seq:
                _log.warning("the stream begins anew", stream=self._stream)
                self.position = 0
            while True:
                message = await self.bus.jetstream.get_msg(
                    self._stream, seq=self.position + 1, subject=self.subject.name, next=True
                )
                self.position = message.seq or self.position + 1
                envelope = self._decoded(message.data)
                if envelope is not None:
                    envelopes.append(envelope)
        except NotFoundError:
            return envelopes
        except (nats.errors.Error, TimeoutError) as error:
            if not envelopes:
                raise self._away(error) from error
            return envelopes

    @property
    def _stream(self) -> str:
        return stream_of(self.subject.name).name

    def _decoded(self, data: bytes | None) -> Envelope[PayloadT] | None:
        try:
            envelope: Envelope[PayloadT] = codec_of(self.subject).decode(data or b"")
        except PoisonError as error:
            _log.warning("passed over", subject=self.subject.name, cause=str(error))
            return None
        return envelope

    def _away(self, error: Exception) -> RetryableError:
        return RetryableError(f"{self.subject.name} cannot be read: {error!r}", "it is tried again")

    async def _on_message(self, _message: Msg) -> None:
        self.arrived.set()
