"""How updates are written to a socket: as WebSocket frames, or as server-sent events."""

from collections.abc import Sequence
from typing import Protocol

from riskee.errors import PoisonError
from serving.api.streaming.messages import Resume
from serving.api.streaming.newest import Log
from serving.api.streaming.update import Kind, Update

MEDIA_TYPE = "text/event-stream"
# How soon a browser connects again, in milliseconds.
_RETRY = 2000


class Framing(Protocol):
    """Makes bytes of updates. A connection has one of its own: it may remember what was sent."""

    def __call__(self, updates: Sequence[Update]) -> bytes:
        """The bytes of updates."""


def frames(updates: Sequence[Update]) -> bytes:
    """WebSocket frames. A server's are not masked, so that all clients share them."""
    return b"".join([part for update in updates for part in (update.header, update.body)])


class Events:
    """Server-sent events of one connection. They have an id only once a client that resumes from it misses nothing."""

    __slots__ = ("_epoch", "_resumable", "_started")

    def __init__(self, log: Log) -> None:
        self._epoch = log.epoch
        self._resumable = False
        self._started = False

    def __call__(self, updates: Sequence[Update]) -> bytes:
        """The bytes of events."""
        start = b"" if self._started else b"retry: %d\n\n" % _RETRY
        self._started = True
        return start + b"".join(map(self._event, updates))

    def _event(self, update: Update) -> bytes:
        if update.type == Kind.HEARTBEAT:
            return b": heartbeat\n\n"
        self._resumable = self._resumable or update.resumable
        place = f"id: {self._epoch}:{update.sequence}\n" if self._resumable else ""
        # A browser takes an event named `error` for one of its own.
        name = "problem" if update.type == Kind.ERROR else update.type
        return b"%sevent: %s\ndata: %s\n\n" % (place.encode(), name.encode(), update.body)


def resume_of(last_event_id: str | None) -> Resume | None:
    """Where a client was, by the header `Last-Event-ID`; None without one. Raises PoisonError for any other text."""
    if not last_event_id:
        return None
    epoch, separator, sequence = last_event_id.rpartition(":")
    if not separator or not sequence.isascii() or not sequence.isdigit():
        raise PoisonError("the header Last-Event-ID is none of this stream", "leave it out to begin anew")
    return Resume(epoch, int(sequence))
