"""What is sent when: the schedule that the load process keeps and by which the latencies are counted."""

from datetime import date
from typing import Literal

import msgspec
import numpy as np

from riskee.market.bars import Floats

MARKET = "SPX"
BASE_PRICE = 100.0
"""About where every made-up history ends."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A load: quote `i` is of ticker `i % tickers` and due at `start + i / rate`; with `rate` 0 all are due at once.

    Nothing waits for an answer, so a system that stalls is charged for every quote that was due meanwhile. A load that
    is not `paced` is sent as fast as the bus takes it. `moments` says which times the quotes tell of: each its own, as
    on a live feed, or one for each round over the tickers, as in a replay.
    """

    subject: str
    stream: str
    feed: str
    session_date: date
    tickers: int
    rate: float
    count: int
    start: float
    paced: bool = True
    moments: Literal["own", "round"] = "own"
    # With several, the quotes go to the slots of their tickers below `subject`.
    partitions: int = 1

    def due(self) -> Floats:
        """When each quote is due: Unix times (count,), whole microseconds."""
        step = 1 / self.rate if self.rate else 0.0
        return np.round(self.start + step * np.arange(self.count), 6)

    def data_times(self) -> Floats:
        """The times that the quotes tell of (count,)."""
        due = self.due()
        return due if self.moments == "own" else due[np.arange(self.count) // self.tickers * self.tickers]


def ticker_name(number: int) -> str:
    """The name of a made-up ticker; all are equally long."""
    return f"T{number:04d}"


def ticker_number(name: str) -> int:
    """The number of a made-up ticker."""
    return int(name[1:])


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the load process has to say of itself. `lag_ms`: how late it sent, p50, p99 and the most."""

    sent: int
    accepted: int
    refused: int
    first: float
    last: float
    lag_ms: tuple[float, float, float]
    cpu_seconds: float
