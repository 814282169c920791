"""What the subject tells to which a delivery is acknowledged, and what it tells of deliveries that were lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nats.aio.msg import Msg

from riskee.storage.inheritance import Inheritance

# A delivery is given up as lost for good after so many of its waits: the second delivery is waited for twice as long.
_WAITS = 2.2
# What a reader before this one held comes after one wait, and a little for the server to see it: so long it is waited
# for where it cannot be counted, because that reader lives and answers for some of it.
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
    _gap_closes_at: float | None = None
    _inheritance: Inheritance = field(default_factory=Inheritance)
    _inherited_until: float | None = None

    def note(self, messages: Sequence[Msg]) -> None:
        """Hear of all messages that were taken since the last call, in the order of their arrival."""
        if not messages:
            return
        first, last = delivery_of(messages[0].reply).number, delivery_of(messages[-1].reply).number
        before = first - 1 if self._last is None else self._last
        if last - before != len(messages):
            self._gap_closes_at = self.monotonic() + _WAITS * self.ack_wait_seconds
        self._last = last

    @property
    def inheritance_known(self) -> bool:
        """Whether `inherit` was called."""
        return self._inheritance.known

    def inherit(self, count: int, last_place: int) -> None:
        """Hear that the server had delivered so many without an answer, none behind this place, at a time when
        all it delivers came here already: a reader before this one held them, or they never reached it."""
        self._inheritance.begin(count, last_place)
        if count:
            self._inherited_until = self.monotonic() + _INHERITED_WAITS * self.ack_wait_seconds

    def arrived(self, message: Msg) -> None:
        """Hear of a message that nobody has taken yet."""
        if self._inheritance.settled:
            return
        if self._inherited_until is not None and self.monotonic() > self._inherited_until:
            self._inheritance.give_up()
        else:
            self._inheritance.hear(int(delivery_of(message.reply).place))

    def forget(self) -> None:
        """All that has arrived by now was taken: what is noted later counts."""
        self._gap_closes_at = self._inherited_until = None
        self._inheritance.give_up()

    def all_came(self) -> None:
        """Hear that nothing is out that is not here: what was lost is waited for no longer."""
        if self._gap_closes_at is not None:
            self._gap_closes_at = self.monotonic()

    @property
    def noted(self) -> bool:
        """Whether any were lost. They may wait among what has arrived, however long ago they came."""
        return self._gap_closes_at is not None or self._inherited_until is not None

    def seconds_left(self) -> float:
        """How long to wait at most until what was lost has come again; 0 where nothing was."""
        inherited_until = None if self._inheritance.settled else self._inherited_until
        ends = [at - self.monotonic() for at in (self._gap_closes_at, inherited_until) if at is not None]
        return max([0.0, *ends])
