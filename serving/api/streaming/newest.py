"""The newest of each kind and ticker: the rule by which the latest wins, in a client's line as in the log."""

from collections import OrderedDict
from collections.abc import Collection, Container, Iterable, Iterator
from itertools import groupby, takewhile
from operator import itemgetter

from serving.api.standing import Notice
from serving.api.streaming.messages import Resume
from serving.api.streaming.update import ALL, Fate, Item, Key, Kind, Update, status_update

# What outlives its moment, so that a client can be told of it later.
_LOGGED = (Kind.STANDING, Kind.PREDICTION, Kind.HAPPENED, Kind.EXPLAINED)

Items = dict[Key, Item]


def put(items: Items, key: Key, item: Item) -> None:
    """Append an item, in place of those that it makes out of date. So items stay in the order of their sequence."""
    items.pop(key, None)
    if key.kind is Kind.PREDICTION:
        # What happened to the number before this one.
        items.pop(Key(Kind.HAPPENED, key.ticker), None)
    elif key == (Kind.STANDING, ALL):
        for each in [each for each in items if each.kind is Kind.STANDING]:
            del items[each]
    items[key] = item


def fates(sequence: int, notice: Notice, tickers: Container[str] | None = None) -> Iterator[tuple[Key, Fate]]:
    """A notice as items of these tickers; None: of all that it names."""
    if not notice.tickers:
        yield Key(Kind.STANDING, ALL), Fate(sequence, notice.reason, standing=True)
    kind = Kind.STANDING if notice.standing else Kind.HAPPENED
    fate = Fate(sequence, notice.reason, notice.standing)
    for ticker in notice.tickers:
        if tickers is None or ticker in tickers or ALL in tickers:
            yield Key(kind, ticker), fate


def told(items: Iterable[tuple[Key, Item]]) -> Iterator[Update]:
    """The messages of items; neighbours with the same fate share one."""
    for item, group in groupby(items, itemgetter(1)):
        if isinstance(item, Update):
            yield item
            continue
        tickers = tuple(key.ticker for key, _ in group)
        yield status_update(*item[:2], () if tickers == (ALL,) else tickers, item.standing)


class Log:
    """What a client may have missed, of one run of this process (`epoch`): the newest of each kind and ticker.

    A sequence below `horizon` cannot be resumed from: something later than it was let go, to keep the log small.
    """

    def __init__(self, epoch: str, size: int) -> None:
        self.epoch = epoch
        self.sequence = 0
        self.horizon = 0
        self._size = size
        self._items: OrderedDict[Key, Item] = OrderedDict()

    def next(self) -> int:
        """The sequence of a new update."""
        self.sequence += 1
        return self.sequence

    def keep(self, key: Key, item: Item) -> None:
        """Keep an item that has the latest sequence."""
        put(self._items, key, item)
        while len(self._items) > self._size:
            self.horizon = self._items.popitem(last=False)[1].sequence

    def sequence_of(self, key: Key) -> int:
        """The sequence of the newest item of a key; 0 where there is none."""
        item = self._items.get(key)
        return item.sequence if item else 0

    def covers(self, resume: Resume) -> bool:
        """Whether all that came after is still here."""
        return resume.epoch == self.epoch and self.horizon <= resume.sequence <= self.sequence

    def missed(self, tickers: Collection[str], sequence: int) -> list[tuple[Key, Item]]:
        """What came for some tickers after a sequence, in its order."""
        if ALL in tickers:
            later = takewhile(lambda each: each[1].sequence > sequence, reversed(self._items.items()))
            return list(later)[::-1]
        keys = [Key(Kind.STANDING, ALL), *(Key(kind, ticker) for kind in _LOGGED for ticker in tickers)]
        found = [(key, item) for key in keys if (item := self._items.get(key)) and item.sequence > sequence]
        return sorted(found, key=lambda each: each[1].sequence)
