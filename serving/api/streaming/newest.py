"""The newest of each kind and ticker: the rule by which the latest wins, in a client's line as in the log."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Set
from itertools import groupby, takewhile
from operator import itemgetter

from serving.api.standing import Notice
from serving.api.streaming.messages import Resume
from serving.api.streaming.update import ALL, Fate, Item, Key, Kind, Update, status_update

# What outlives its moment, so that a client can be told of it later.
_LOGGED = (Kind.STANDING, Kind.PREDICTION, Kind.HAPPENED, Kind.EXPLAINED)

_EVERYONE = Key(Kind.STANDING, ALL)

Items = dict[Key, Item]


def put(items: Items, key: Key, item: Item) -> None:
    """Append an item, in place of those that it makes out of date. So items stay in the order of their sequence."""
    items.pop(key, None)
    if key.kind is Kind.PREDICTION:
        # What happened to the number before this one.
        items.pop(Key(Kind.HAPPENED, key.ticker), None)
    elif key == _EVERYONE:
        for each in [each for each in items if each.kind is Kind.STANDING]:
            del items[each]
    items[key] = item


class Fates:
    """A notice as items, made once for all whom it concerns."""

    def __init__(self, sequence: int, notice: Notice) -> None:
        self._fate = Fate(sequence, notice.reason, notice.standing or not notice.tickers)
        self._kind = Kind.STANDING if self._fate.standing else Kind.HAPPENED
        keys = [Key(self._kind, ticker) for ticker in notice.tickers] or [_EVERYONE]
        self.items: Items = dict.fromkeys(keys, self._fate)

    def put(self, items: Items, tickers: Set[str]) -> bool:
        """As `put`, all that concerns these tickers; whether anything does. One walks through the shorter of both."""
        if _EVERYONE in self.items:
            put(items, _EVERYONE, self._fate)
            return True
        own = self.items
        if ALL not in tickers:
            # In order, so that all with the same tickers share a message.
            named = sorted(ticker for ticker in tickers if Key(self._kind, ticker) in own)
            own = {Key(self._kind, ticker): self._fate for ticker in named}
        for key in items.keys() & own.keys():
            del items[key]
        items.update(own)
        return bool(own)


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
        keys = [_EVERYONE, *(Key(kind, ticker) for kind in _LOGGED for ticker in tickers)]
        found = [(key, item) for key in keys if (item := self._items.get(key)) and item.sequence > sequence]
        return sorted(found, key=lambda each: each[1].sequence)
