"""Where the order of messages counts: which chapter of the stream a consumer is in."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic

from riskee.messaging.envelope import Envelope, PayloadT

# A message that is late by more chapters than these counts as the first of a new one: lost deliveries are waited for
# once too often, and nothing else.
_REMEMBERED = 16


class Chapters(Generic[PayloadT]):
    """Knows the newest chapter that was begun. Without `chapter_of` all messages are of one.

    A late message of a chapter that was left begins none, and does not set the newest back.
    """

    def __init__(self, chapter_of: Callable[[PayloadT], Hashable] | None) -> None:
        self._chapter_of = chapter_of
        self._newest: Hashable = None
        self._left: deque[Hashable] = deque(maxlen=_REMEMBERED)

    def begins(self, batch: Sequence[Envelope[PayloadT]]) -> bool:
        """Whether any message of a batch is of a chapter that was not begun before; the very first of all begins
        none."""
        if self._chapter_of is None or not batch:
            return False
        begun = {self._chapter_of(batch[0].payload) if self._newest is None else self._newest, *self._left}
        return any(self._chapter_of(envelope.payload) not in begun for envelope in batch)

    def handled(self, batch: Sequence[Envelope[PayloadT]]) -> None:
        """Note a batch."""
        # Looked at whole only where a chapter may have begun: it is done for every batch.
        if self._chapter_of is None or not batch or self._chapter_of(batch[-1].payload) == self._newest:
            return
        for chapter in dict.fromkeys(self._chapter_of(envelope.payload) for envelope in batch):
            if chapter != self._newest and chapter not in self._left:
                if self._newest is not None:
                    self._left.append(self._newest)
                self._newest = chapter
