"""What a feed says, and the gate between it and the bus: only a quote that can be believed gets through."""

import math
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

import msgspec

from riskee.errors import PoisonError
from riskee.ids import quote_id
from riskee.messaging.messages import Quote

# A vendor's clock may be so far ahead of ours.
MOST_AHEAD = timedelta(minutes=1)


class Tick(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A quote as a feed gives it: typed, not yet believed. The fields are those of `Quote`."""

    feed: str
    ticker: str
    data_time: datetime
    session_date: date
    sequence: int
    price: float
    open: float
    high: float
    low: float
    volume: float
    adjustment_factor: float = 1.0
    final: bool = False


class Fault(StrEnum):
    """Why a quote is refused."""

    MALFORMED = "malformed"
    NEGATIVE_PRICE = "negative_price"
    UNKNOWN_TICKER = "unknown_ticker"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    STALE = "stale"
    FUTURE = "future"


class QuoteRefusedError(PoisonError):
    """A quote that must not reach a model."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}", "it is kept in the quarantine table; mend the feed")
        self.fault = fault


@dataclass
class QuoteGate:
    """Remembers where each ticker of one feed is, and lets through only what moves it forward.

    `max_age` is how old a quote of a live feed may be on arrival; None for a replay, whose times are long past.
    """

    known: Collection[str]
    max_lag: timedelta
    max_age: timedelta | None = None
    _latest: dict[str, Quote] = field(default_factory=dict)
    _newest: datetime | None = None

    def admit(self, tick: Tick, received_at: datetime) -> Quote:
        """The quote to publish. Raises QuoteRefusedError with the fault."""
        identity = self._check_content(tick)
        self._check_order(tick)
        self._check_age(tick, received_at)
        quote = _convert(tick, identity, received_at)
        self._latest[tick.ticker] = quote
        self._newest = max(tick.data_time, self._newest or tick.data_time)
        return quote

    def _check_content(self, tick: Tick) -> uuid.UUID:
        numbers = (tick.price, tick.open, tick.high, tick.low, tick.volume, tick.adjustment_factor)
        if not all(map(math.isfinite, numbers)):
            raise QuoteRefusedError(Fault.MALFORMED, f"{tick.ticker} has a number that is not finite")
        if min(tick.price, tick.open, tick.high, tick.low, tick.adjustment_factor) <= 0:
            raise QuoteRefusedError(Fault.NEGATIVE_PRICE, f"{tick.ticker} has a price that is not above zero")
        if tick.volume < 0 or tick.sequence < 0 or tick.data_time.tzinfo is None:
            raise QuoteRefusedError(Fault.MALFORMED, f"{tick.ticker} has a negative volume, number or no time zone")
        if not tick.low <= min(tick.price, tick.open) <= max(tick.price, tick.open) <= tick.high:
            raise QuoteRefusedError(Fault.MALFORMED, f"{tick.ticker} has a price outside its own range")
        if tick.ticker not in self.known:
            raise QuoteRefusedError(Fault.UNKNOWN_TICKER, f"{tick.ticker} is not in the tickers table")
        return quote_id(tick.feed, tick.ticker, tick.data_time, tick.sequence)

    def _check_order(self, tick: Tick) -> None:
        last = self._latest.get(tick.ticker)
        if last is None or tick.feed != last.feed:
            return
        position, reached = (tick.data_time, tick.sequence), (last.data_time, last.sequence)
        if position == reached:
            raise QuoteRefusedError(Fault.DUPLICATE, f"{tick.ticker} at {tick.data_time.isoformat()} came before")
        if position < reached or tick.session_date < last.session_date:
            raise QuoteRefusedError(
                Fault.OUT_OF_ORDER, f"{tick.ticker} at {tick.data_time.isoformat()}, {last.data_time.isoformat()} was"
            )

    def _check_age(self, tick: Tick, received_at: datetime) -> None:
        if tick.data_time - received_at > MOST_AHEAD:
            raise QuoteRefusedError(Fault.FUTURE, f"{tick.ticker} at {tick.data_time.isoformat()} is not yet")
        behind = self._newest is not None and self._newest - tick.data_time > self.max_lag
        old = self.max_age is not None and received_at - tick.data_time > self.max_age
        if behind or old:
            raise QuoteRefusedError(Fault.STALE, f"{tick.ticker} at {tick.data_time.isoformat()} is too old")


def _convert(tick: Tick, identity: uuid.UUID, received_at: datetime) -> Quote:
    values = {**msgspec.structs.asdict(tick), "quote_id": identity, "received_at": received_at}
    try:
        return msgspec.convert(values, Quote)
    except msgspec.ValidationError as error:
        raise QuoteRefusedError(Fault.MALFORMED, str(error)) from error


def as_json(tick: Tick) -> bytes:
    """The body that a refused tick leaves in its dead letter."""
    return msgspec.json.encode(tick)
