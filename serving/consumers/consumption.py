"""What a service does with the messages of a durable."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic

from riskee.errors import FatalError
from riskee.messaging.envelope import Codec, Envelope, PayloadT
from riskee.storage.inbox import Durable


@dataclass(frozen=True)
class Consumption(Generic[PayloadT]):
    """What a service does with the messages of a durable.

    `handle` gets the envelopes of a batch, oldest first. It raises RetryableError where all may succeed later and
    PoisonError where one never will; everything that it does must be harmless to do twice. Raises FatalError where
    batches are to be handled side by side that cannot be.
    """

    durable: Durable
    codec: Codec[PayloadT]
    handle: Callable[[Sequence[Envelope[PayloadT]]], Awaitable[None]]
    max_batch: int = 512
    # How long the first message of a batch may wait for others, where a batch costs much more than a message.
    linger_seconds: float = 0.0
    # Where a batch takes seconds: the next ones do not wait for it, however many the durable lets out. For batches of
    # one message, without chapters. One that hangs is found out once no other is finished: `handle` limits it.
    side_by_side: bool = False
    # What a message belongs to where the order counts: nothing of a new chapter is handled while of the last one
    # something may still be on its way.
    chapter: Callable[[PayloadT], Hashable] | None = None

    def __post_init__(self) -> None:
        if self.side_by_side and (self.max_batch != 1 or self.chapter is not None):
            raise FatalError(
                f"{self.durable.name}: only batches of one message, without chapters, are handled side by side",
                "set max_batch=1 and no chapter, or leave side_by_side out",
            )
