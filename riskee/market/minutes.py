"""One minute of one ticker: the vendor's bar of it, or what its trades make of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce

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


@dataclass(slots=True)
class Minute:
    """What is known of one minute. The vendor's bar counts, unless the trades have seen more or were corrected."""

    bar: MinuteBar | None = None
    trades: dict[TradeKey, Trade] = field(default_factory=dict)
    _withdrawn: float = 0.0
    _amended: bool = False

    def take_bar(self, bar: MinuteBar) -> None:
        """Keep the newer of two bars."""
        if self.bar is None or bar.vintage > self.bar.vintage:
            self.bar = bar

    def amend(self, key: TradeKey, corrected: Trade | None) -> bool:
        """Replace a kept trade by the corrected one, or by nothing where it was cancelled.

        False where trades are missing: then only the volume of the vendor's bar is mended, its prices stay as they are.
        """
        before = self.trades.pop(key)
        if corrected is not None:
            self.trades[corrected.key] = corrected
        self._withdrawn += _volume(before) - (_volume(corrected) if corrected else 0.0)
        self._amended = True
        return self.bar is None or self._has_seen(self.bar, fold(self.trades.values()))

    def forget_trades(self) -> None:
        """Free the memory of the trades; what they say stays, as a bar."""
        span = self.span()
        if span is not None and span is not self.bar:
            start = self.bar.start if self.bar else floor(min(trade.time for trade in self.trades.values()))
            revision = self.bar.revision if self.bar else 0
            self.bar = MinuteBar(start=start, revision=revision, **_numbers(span))
        self.trades, self._withdrawn, self._amended = {}, 0.0, False

    def span(self) -> Span | None:
        """The minute as a bar; None without a trade that sets a price, as the vendor makes no bar then."""
        traded = fold(self.trades.values())
        if self.bar is None:
            return traded
        if self._amended:
            if self._has_seen(self.bar, traded):
                return traded
            return replace(self.bar, volume=max(0.0, self.bar.volume - self._withdrawn))
        return traded if traded is not None and traded.volume > self.bar.volume else self.bar

    def _has_seen(self, bar: MinuteBar, traded: Span | None) -> bool:
        """Whether the trades are all that the vendor's bar was made of."""
        return (traded.volume if traded else 0.0) + self._withdrawn >= bar.volume


def floor(moment: datetime) -> datetime:
    """The start of its minute."""
    return moment.replace(second=0, microsecond=0)


def fold(trades: Iterable[Trade]) -> Span | None:
    """The bar of some trades, in order of their time; None where none of them sets a price."""
    priced: list[Trade] = []
    volume = 0.0
    for trade in sorted(trades, key=lambda trade: (trade.time, trade.key)):
        does = effect(trade.conditions, trade.tape)
        volume += trade.size if does.volume else 0.0
        if does.price:
            priced.append(trade)
    if not priced:
        return None
    prices = [trade.price for trade in priced]
    return Span(open=prices[0], high=max(prices), low=min(prices), close=prices[-1], volume=volume)


def join(spans: Iterable[Span | None]) -> Span | None:
    """Spans in order of time as one; None where there is none."""
    known = [span for span in spans if span is not None]
    return reduce(Span.then, known) if known else None


def _volume(trade: Trade) -> float:
    return trade.size if effect(trade.conditions, trade.tape).volume else 0.0


def _numbers(span: Span) -> dict[str, float]:
    return {name: getattr(span, name) for name in ("open", "high", "low", "close", "volume")}
