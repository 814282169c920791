"""One client's subscriptions and what waits for it: never a backlog, only the newest of each kind and ticker."""

from collections.abc import Callable

from serving.api.streaming.newest import Fates, Items, put, told
from serving.api.streaming.update import Item, Key, Update


class Listener:
    """Whoever listens. `wake` is called when something waits where nothing did before."""

    __slots__ = ("_waiting", "_wake", "awake", "tickers")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.tickers: set[str] = set()
        # Whether it was woken and has not taken everything yet.
        self.awake = False
        self._waiting: Items = {}
        self._wake = wake

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    def offer(self, key: Key, item: Item) -> None:
        """Put an item in line."""
        put(self._waiting, key, item)
        self._rouse()

    def notify(self, fates: Fates) -> None:
        """Put a notice in line, for the tickers that are listened to."""
        if fates.put(self._waiting, self.tickers):
            self._rouse()

    def _rouse(self) -> None:
        if not self.awake:
            self.awake = True
            self._wake()

    def take(self, most: int) -> list[Update]:
        """What waits, the oldest first, until it is more than so many bytes; the rest stays in line."""
        waiting, size = self._waiting, 0
        items: list[tuple[Key, Item]] = []
        for each in waiting.items():
            items.append(each)
            size += len(each[1].body) if isinstance(each[1], Update) else 0
            if size >= most:
                break
        if len(items) == len(waiting):
            # A new one: that which was emptied would keep the room it needed.
            self._waiting = {}
        else:
            for key, _ in items:
                del waiting[key]
        return list(told(items))
