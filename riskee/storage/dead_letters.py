"""What lies in DEAD_LETTER: the newest letters, and none once they are understood."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.js.errors import NotFoundError

from riskee.errors import PoisonError, RetryableError
from riskee.messaging.envelope import Codec, Envelope
from riskee.messaging.messages import DeadLetter
from riskee.storage.bus import Bus

STREAM = "DEAD_LETTER"
_codec = Codec(DeadLetter)


async def newest_dead_letters(bus: Bus, most: int) -> list[Envelope[DeadLetter]]:
    """The newest ones, oldest first; what cannot be read is left out. Raises RetryableError without the bus."""
    found = []
    async with _answering():
        state = (await bus.jetstream.stream_info(STREAM)).state
        for sequence in range(max(state.first_seq, state.last_seq - most + 1, 1), state.last_seq + 1):
            try:
                message = await bus.jetstream.get_msg(STREAM, seq=sequence)
                found.append(_codec.decode(message.data or b""))
            except (NotFoundError, PoisonError):
                continue
    return found


async def clear_dead_letters(bus: Bus) -> int:
    """Empty the stream, and answer how many there were. Raises RetryableError without the bus."""
    async with _answering():
        count = (await bus.jetstream.stream_info(STREAM)).state.messages
        await bus.jetstream.purge_stream(STREAM)
    return count


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    try:
        yield
    except (nats.errors.Error, TimeoutError) as error:
        raise RetryableError(
            f"DEAD_LETTER cannot be read: {error!r}", "`riskee status` shows whether nats runs"
        ) from error
