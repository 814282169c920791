"""One ticker's session: its minutes, and the daily bar that they make so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from riskee.market.minutes import MINUTE, Minute, MinuteBar, Span, Trade, TradeKey, floor, join
from riskee.market.packed_minutes import PackedMinutes
from riskee.market.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Span):
    """The running daily bar of a ticker at `time`, as Yahoo gives it; `close` is the price."""

    time: datetime


@dataclass(slots=True)
class SessionBar:
    """What is known of one ticker's session. `newest` is the latest moment told of, never after the close."""

    session: Session
    newest: datetime
    keep_trades: timedelta
    # The newest minutes; the older ones are packed, and unpacked when something late comes.
    minutes: dict[datetime, Minute] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    finished: bool = False
    _packed: PackedMinutes = field(init=False)
    _places: dict[TradeKey, datetime] = field(default_factory=dict)
    # All before the last minute, joined, unless it is stale: a quote then costs one minute's work, not the day's.
    _last: datetime | None = None
    _before: Span | None = None
    _stale: bool = False

    def __post_init__(self) -> None:
        self._packed = PackedMinutes(self.session.opens_at)

    def take_bar(self, bar: MinuteBar) -> None:
        """A vendor's bar of one minute."""
        self._minute(bar.start).take_bar(bar)
        self.tell(bar.start + MINUTE)

    def take_trade(self, trade: Trade) -> None:
        """A trade; the print of the closing auction belongs to the last minute."""
        start = min(floor(trade.time), self.session.closes_at - MINUTE)
        self._minute(start).take_trade(trade)
        self._places[trade.key] = start
        self.tell(trade.time)

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """The bar up to a moment. The newest one counts."""
        if self.snapshot is None or snapshot.time >= self.snapshot.time:
            self.snapshot, self._stale = snapshot, True
        self.tell(snapshot.time)

    def amend(self, key: TradeKey, corrected: Trade | None) -> bool:
        """Replace a trade, or take it away. False where it is not known, or not all trades of its minute are."""
        start = self._places.pop(key, None)
        if start is None:
            return False
        if corrected is not None:
            corrected = replace(corrected, time=self.minutes[start].trades[key].time)
            self._places[corrected.key] = start
        return self._minute(start).amend(key, corrected)

    def restore(self, bars: Sequence[MinuteBar]) -> None:
        """These minutes in place of what is known up to the last of them."""
        last = max(bar.start for bar in bars)
        later = {start: minute for start, minute in self.minutes.items() if start > last}
        kept = [bar for start in self._packed.starts() if start > last and (bar := self._packed.get(start))]
        self.minutes = {bar.start: Minute(bar) for bar in (*bars, *kept)} | later
        self._packed = PackedMinutes(self.session.opens_at)
        self._places = {key: start for key, start in self._places.items() if start > last}
        self._last, self._stale = max(self.minutes), True
        self.tell(last + MINUTE)

    def span(self) -> Span | None:
        """The running bar; None before the first price."""
        if self._last is None:
            return self.snapshot
        if self._stale:
            starts = sorted({*self._packed.starts(), *self.minutes})
            earlier = (self._span_of(start) for start in starts if start < self._last)
            self._before, self._stale = join((self.snapshot, *earlier)), False
        return join((self._before, self._span_of(self._last)))

    def _minute(self, start: datetime) -> Minute:
        """The minute that is about to be changed."""
        if self._last is None or start > self._last:
            if self._last is not None and not self._stale:
                self._before = join((self._before, self._span_of(self._last)))
            self._last = start
            self._pack(start)
        elif start < self._last:
            self._stale = True
        if start not in self.minutes:
            self.minutes[start] = Minute(self._packed.take(start))
        return self.minutes[start]

    def _span_of(self, start: datetime) -> Span | None:
        if self.snapshot is not None and start < self.snapshot.time:
            return None
        return self.minutes[start].span() if start in self.minutes else self._packed.get(start)

    def tell(self, moment: datetime) -> None:
        """Note that the bar holds at a moment."""
        self.newest = max(self.newest, min(moment, self.session.closes_at))

    def _pack(self, now: datetime) -> None:
        """Forget the trades of minutes that are too long over to be corrected, and keep their bars as numbers."""
        for start in [start for start in self.minutes if start + MINUTE < now - self.keep_trades]:
            minute = self.minutes[start]
            for key in minute.trades:
                self._places.pop(key, None)
            minute.forget_trades(start)
            if minute.bar is None:
                del self.minutes[start]
            elif self._packed.fits(start):
                self._packed.put(minute.bar)
                del self.minutes[start]
