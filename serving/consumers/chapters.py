"""Where the order of messages counts: which chapter of the stream a consumer is in."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic

from riskee.messaging.envelope import Envelope, PayloadT


class Chapters(Generic[PayloadT]):
    """Knows the chapter of what was handled last. Without `chapter_of` all messages are of one."""

    def __init__(self, chapter_of: Callable[[PayloadT], Hashable] | None) -> None:
        self._chapter_of = chapter_of
        self._current: Hashable = None

    def begins(self, batch: Sequence[Envelope[PayloadT]]) -> bool:
        """Whether any message of a batch is of another chapter than what was handled before, or than another."""
        if self._chapter_of is None or not batch:
            return False
        current = self._chapter_of(batch[0].payload) if self._current is None else self._current
        return any(self._chapter_of(envelope.payload) != current for envelope in batch)

    def handled(self, batch: Sequence[Envelope[PayloadT]]) -> None:
        """Note a batch."""
        if self._chapter_of is not None and batch:
            self._current = self._chapter_of(batch[-1].payload)
