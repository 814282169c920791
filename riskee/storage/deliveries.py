"""What the subject tells to which a delivery is acknowledged, and what it tells of deliveries that were lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nats.aio.msg import Msg

# A delivery is given up as lost for good after so many of its waits: the second delivery is waited for twice as long.
_WAITS = 2.2
# What a reader before this one held comes after one wait, and a little for the server to see it.
_INHERITED_WAITS = 1.3


class Delivery(NamedTuple):
    """A message's place in its stream and when that took it, and which delivery of its consumer it is.

    A stream that was made anew numbers its messages from 1 again.
    """

    place: str
    taken_at: str
    number: int

    @property
    def identity(self) -> tuple[str, str]:
        """The same for each delivery of one message."""
        return self.place, self.taken_at


def delivery_of(reply: str) -> Delivery:
    """Read `$JS.ACK.<stream>.<consumer>.<times>.<place>.<number>.<time>.<pending>`; with a domain three tokens more
    (NATS, ADR-15)."""
    tokens = reply.split(".")
    at = 5 if len(tokens) == 9 else 7
    return Delivery(tokens[at], tokens[at + 2], int(tokens[at + 1]))


@dataclass
class Losses:
    """Whether deliveries were lost that must come again. The server numbers them without gaps."""

    ack_wait_seconds: float
    monotonic: Callable[[], float]
    _last: int | None = None
    _whole_at: float | None = None

    def note(self, messages: Sequence[Msg]) -> None:
        """Hear of all messages that have arrived since the last call, in the order of their arrival."""
        if not messages:
            return
        first, last = delivery_of(messages[0].reply).number, delivery_of(messages[-1].reply).number
        before = first - 1 if self._last is None else self._last
        if last - before != len(messages):
            self._whole_at = self.monotonic() + _WAITS * self.ack_wait_seconds
        self._last = last

    def inherit(self) -> None:
        """Hear that a reader before this one held some, or that they never reached it."""
        self._whole_at = self.monotonic() + _INHERITED_WAITS * self.ack_wait_seconds

    def forget(self) -> None:
        """All that has arrived by now was taken: what is noted later counts."""
        self._whole_at = None

    @property
    def noted(self) -> bool:
        """Whether any were lost. They may wait among what has arrived, however long ago they came."""
        return self._whole_at is not None

    def seconds_left(self) -> float:
        """How long to wait until what was lost has come again; 0 where nothing was."""
        return 0.0 if self._whole_at is None else max(0.0, self._whole_at - self.monotonic())
