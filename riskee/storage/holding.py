"""What a reader holds of its durable: what has arrived, what was taken of that, and what it has finished of late."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nats.aio.msg import Msg

from riskee.storage.deliveries import delivery_of


class Sifted(NamedTuple):
    """Messages of which nobody had heard, and copies of what was finished, to be acknowledged once more."""

    fresh: Sequence[Msg]
    finished: Sequence[Msg]


class Holding:
    """The deliveries of one durable, known by their reply subjects. Work may be finished in any order."""

    def __init__(self, first_delivery: str, remembered: int) -> None:
        """Replies to a message's first delivery begin with `first_delivery`; so many finished ones are remembered."""
        self.waiting: deque[Msg] = deque()
        self._taken: dict[str, Msg] = {}  # and not finished
        self._finished: deque[str] = deque(maxlen=remembered)
        self._first_delivery = first_delivery
        self._held_before: set[str] = set()

    @property
    def taken(self) -> list[Msg]:
        """What was taken and is not finished, in the order in which it was."""
        return [*self._taken.values()]

    def count(self, last_place: int) -> int:
        """How many of what was taken are not behind this place in their stream."""
        return sum(int(delivery_of(reply).place) <= last_place for reply in self._taken)

    def __len__(self) -> int:
        return len(self.waiting) + len(self._taken)

    def is_first(self, message: Msg) -> bool:
        """Whether it was delivered for the first time."""
        return message.reply.startswith(self._first_delivery)

    def sift(self, arrived: Sequence[Msg]) -> Sifted:
        """Take those of which no copy is held or finished. Where some come for a second time, all in their stream's
        order: they would be older than what came before them."""
        if all(map(self.is_first, arrived)):
            sifted = Sifted(arrived, ())
        else:
            finished = {delivery_of(reply).identity for reply in self._finished}
            known = finished | {delivery_of(reply).identity for reply in self._taken}
            fresh: dict[tuple[str, str], Msg] = {}
            again = []
            for message in arrived:
                identity = delivery_of(message.reply).identity
                if identity in finished:
                    again.append(message)
                elif identity not in known:
                    fresh.setdefault(identity, message)
            sifted = Sifted(in_order(fresh.values()), again)
        self._taken.update((message.reply, message) for message in sifted.fresh)
        return sifted

    def finish(self, messages: Sequence[Msg]) -> None:
        """Hold them no longer."""
        for message in messages:
            self._taken.pop(message.reply, None)
        self._finished.extend(message.reply for message in messages)

    def overdue(self) -> list[Msg]:
        """What was held at the last call and still is."""
        held = [*self._taken.values(), *self.waiting]
        before, self._held_before = self._held_before, {message.reply for message in held}
        return [message for message in held if message.reply in before]


def in_order(messages: Iterable[Msg]) -> list[Msg]:
    """Messages in the order in which their stream took them, also where it was made anew between them."""

    def place(message: Msg) -> tuple[int, int]:
        delivery = delivery_of(message.reply)
        return int(delivery.taken_at), int(delivery.place)

    return sorted(messages, key=place)
