"""Messages that a stream has removed, for its age or size, before they were ever delivered to their reader."""

from typing import NamedTuple

import nats.errors
from nats.js.errors import NotFoundError

from riskee.errors import RetryableError
from riskee.storage.bus import Bus


class _Reading(NamedTuple):
    """The place in the stream of the last delivery, how many there were, and how many messages of the durable's came
    after it."""

    place: int
    delivered: int
    waiting: int


class Expiry:
    """Looks at a durable again and again, and counts what it can read no more since it was looked at last.

    The number is about right, no bound: messages of other subjects among those removed raise it, redeliveries between
    two looks lower it. What was out with a reader that died, and was removed then, is not in it: the server ends such
    deliveries as if they were acknowledged.
    """

    def __init__(self, bus: Bus, stream: str, durable: str) -> None:
        self._bus = bus
        self._stream = stream
        self._durable = durable
        self._before: _Reading | None = None

    async def removed(self) -> int:
        """About how many messages were removed that had never been delivered.

        The first call is about the time before, when nobody looked: all that the stream removed after the durable's
        last delivery counts, of whatever subject, where something waits for the durable. One that never had a delivery,
        or for which nothing waits, tells nothing: its subject may be a quiet one of a busy stream. Until the next
        delivery the first call of each process tells of the same again. Each later call is about the messages that
        waited at the call before.
        Raises RetryableError where the bus does not answer.
        """
        try:
            consumer = await self._bus.jetstream.consumer_info(self._stream, self._durable)
            first = (await self._bus.jetstream.stream_info(self._stream)).state.first_seq
        except NotFoundError:
            return 0
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"{self._durable}: {error!r}", "it is tried again") from error
        last = consumer.delivered
        now = _Reading(last.stream_seq if last else 0, last.consumer_seq if last else 0, consumer.num_pending or 0)
        before, self._before = self._before, now
        if before is None:
            return max(0, first - 1 - now.place) if now.place and now.waiting else 0
        undelivered = before.waiting - (now.delivered - before.delivered)
        return max(0, min(undelivered, first - 1 - before.place))
