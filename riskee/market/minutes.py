"""One minute of one ticker: the vendor's bar of it, or what its trades make of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Self

from riskee.market.conditions import effect

MINUTE = timedelta(minutes=1)

# Exchange and the exchange's number: what names a trade of a ticker for a day.
TradeKey = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What was traded over some time: raw prices, volume in shares."""

    open: float
    high: float
    low: float
    close: float
    volume: float

    def checked(self) -> Self:
        """Itself. Raises ValueError where no market makes it."""
        prices = (self.open, self.high, self.low, self.close)
        if not all(map(math.isfinite, (*prices, self.volume))):
            raise ValueError("a number is none")
        if min(prices) <= 0 or self.volume < 0:
            raise ValueError("a price is not above zero, or the volume is below")
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError("a price is outside of the minute's range")
        return self

    def then(self, later: "Span") -> "Span":
        """Both, one after the other."""
        return Span(
            open=self.open,
            high=max(self.high, later.high),
            low=min(self.low, later.low),
            close=later.close,
            volume=self.volume + later.volume,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteBar(Span):
    """A vendor's bar of the minute that begins at `start` (UTC).

    `revision` is 0 for the first bar of a minute and 1 for one that takes its place, such as Alpaca's `updatedBars`.
    """

    start: datetime
    revision: int = 0

    @property
    def vintage(self) -> tuple[float, ...]:
        """The greater, the newer: late trades add volume. A total order, so that the order of arrival is no matter."""
        return (self.revision, self.volume, self.high, -self.low, self.close, self.open)


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade; `tape` and `conditions` are the vendor's letters."""

    key: TradeKey
    time: datetime
    price: float
    size: float
    conditions: tuple[str, ...] = ()
    tape: str = "C"

    @property
    def place(self) -> tuple[datetime, TradeKey]:
        """Where it stands among the others."""
        return self.time, self.key


@dataclass(slots=True)
class TradeFold:
    """The bar of trades that are added in order of their time."""

    newest: tuple[datetime, TradeKey] | None = None
    _prices: tuple[float, float, float, float] | None = None
    _volume: float = 0.0

    def add(self, trade: Trade) -> None:
        does = effect(trade.conditions, trade.tape)
        self.newest = trade.place
        self._volume += trade.size if does.volume else 0.0
        if does.price:
            first, high, low, _ = self._prices or (trade.price,) * 4
            self._prices = first, max(high, trade.price), min(low, trade.price), trade.price

    def span(self) -> Span | None:
        """None where no trade sets a price."""
        if self._prices is None:
            return None
        first, high, low, last = self._prices
        return Span(open=first, high=high, low=low, close=last, volume=self._volume)


@dataclass(slots=True)
class Minute:
    """What is known of one minute. The vendor's bar counts, unless the trades have seen more or were corrected."""

    bar: MinuteBar | None = None
    trades: dict[TradeKey, Trade] = field(default_factory=dict)
    # None: the trades must be folded anew, for one came late or was corrected.
    _fold: TradeFold | None = field(default_factory=TradeFold)
    _withdrawn: float = 0.0
    _amended: bool = False

    def take_bar(self, bar: MinuteBar) -> None:
        """Keep the newer of two bars."""
        if self.bar is None or bar.vintage > self.bar.vintage:
            self.bar = bar

    def take_trade(self, trade: Trade) -> None:
        """Add a trade; one with the same key takes its place."""
        newest = self._fold.newest if self._fold else None
        if trade.key in self.trades or (newest is not None and trade.place < newest):
            self._fold = None
        elif self._fold is not None:
            self._fold.add(trade)
        self.trades[trade.key] = trade

    def amend(self, key: TradeKey, corrected: Trade | None) -> bool:
        """Replace a kept trade by the corrected one, or by nothing where it was cancelled.

        False where trades are missing: then only the volume of the vendor's bar is mended, its prices stay as they are.
        """
        before = self.trades.pop(key)
        if corrected is not None:
            self.trades[corrected.key] = corrected
        self._withdrawn += _volume(before) - (_volume(corrected) if corrected else 0.0)
        self._amended, self._fold = True, None
        return self.bar is None or self._has_seen(self.bar, self._traded())

    def forget_trades(self, start: datetime) -> None:
        """Free the memory of the trades; what they say stays, as the bar of the minute that began at `start`."""
        span = self.span()
        if span is not None and span is not self.bar:
            self.bar = MinuteBar(start=start, revision=self.bar.revision if self.bar else 0, **_numbers(span))
        self.trades, self._fold, self._withdrawn, self._amended = {}, TradeFold(), 0.0, False

    def span(self) -> Span | None:
        """The minute as a bar; None without a trade that sets a price, as the vendor makes no bar then."""
        traded = self._traded()
        if self.bar is None:
            return traded
        if self._amended:
            if self._has_seen(self.bar, traded):
                return traded
            return replace(self.bar, volume=max(0.0, self.bar.volume - self._withdrawn))
        return traded if traded is not None and traded.volume > self.bar.volume else self.bar

    def _traded(self) -> Span | None:
        if self._fold is None:
            self._fold = fold(self.trades.values())
        return self._fold.span()

    def _has_seen(self, bar: MinuteBar, traded: Span | None) -> bool:
        """Whether the trades are all that the vendor's bar was made of."""
        return (traded.volume if traded else 0.0) + self._withdrawn >= bar.volume


def floor(moment: datetime) -> datetime:
    """The start of its minute."""
    return moment.replace(second=0, microsecond=0)


def fold(trades: Iterable[Trade]) -> TradeFold:
    """Trades in any order, folded in that of their time."""
    folded = TradeFold()
    for trade in sorted(trades, key=lambda trade: trade.place):
        folded.add(trade)
    return folded


def join(spans: Iterable[Span | None]) -> Span | None:
    """Spans in order of time as one; None where there is none."""
    known = [span for span in spans if span is not None]
    return reduce(Span.then, known) if known else None


def _volume(trade: Trade) -> float:
    return trade.size if effect(trade.conditions, trade.tape).volume else 0.0


def _numbers(span: Span) -> dict[str, float]:
    return {name: getattr(span, name) for name in ("open", "high", "low", "close", "volume")}
