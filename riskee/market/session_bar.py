"""One ticker's session: its minutes, and the daily bar that they make so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from riskee.market.minutes import MINUTE, Minute, MinuteBar, Span, Trade, TradeKey, floor, join
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
    minutes: dict[datetime, Minute] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    finished: bool = False
    _places: dict[TradeKey, datetime] = field(default_factory=dict)
    # All before the last minute, joined, unless it is stale: a quote then costs one minute's work, not the day's.
    _last: datetime | None = None
    _before: Span | None = None
    _stale: bool = False

    def take_bar(self, bar: MinuteBar) -> None:
        """A vendor's bar of one minute."""
        self._minute(bar.start).take_bar(bar)
        self.tell(bar.start + MINUTE)

    def take_trade(self, trade: Trade) -> None:
        """A trade; the print of the closing auction belongs to the last minute."""
        start = min(floor(trade.time), self.session.closes_at - MINUTE)
        self._minute(start).trades[trade.key] = trade
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
        self.minutes = {bar.start: Minute(bar) for bar in bars} | later
        self._places = {key: start for key, start in self._places.items() if start > last}
        self._last, self._stale = max(self.minutes), True
        self.tell(last + MINUTE)

    def span(self) -> Span | None:
        """The running bar; None before the first price."""
        if self._last is None:
            return self.snapshot
        if self._stale:
            earlier = (self._span_of(start) for start in sorted(self.minutes) if start < self._last)
            self._before, self._stale = join((self.snapshot, *earlier)), False
        return join((self._before, self._span_of(self._last)))

    def _minute(self, start: datetime) -> Minute:
        """The minute that is about to be changed."""
        if self._last is None or start > self._last:
            if self._last is not None and not self._stale:
                self._before = join((self._before, self._span_of(self._last)))
            self._last = start
            self._forget_trades(start)
        elif start < self._last:
            self._stale = True
        return self.minutes.setdefault(start, Minute())

    def _span_of(self, start: datetime) -> Span | None:
        covered = self.snapshot is not None and start < self.snapshot.time
        return None if covered else self.minutes[start].span()

    def tell(self, moment: datetime) -> None:
        """Note that the bar holds at a moment."""
        self.newest = max(self.newest, min(moment, self.session.closes_at))

    def _forget_trades(self, now: datetime) -> None:
        """Free the trades of minutes that are too long over to be corrected."""
        for start in {start for start in self._places.values() if start + MINUTE < now - self.keep_trades}:
            for key in self.minutes[start].trades:
                self._places.pop(key, None)
            self.minutes[start].forget_trades()
