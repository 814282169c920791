"""Which moves are material: worth an explanation that nobody asked for.

Two things make a person look up. The forecast is strong: its expected move, in halves of its own 80 % interval, is
among the top of all that was forecast lately, and not small by itself. Or the price has moved: it lies further from
the session's first price than the forecast's own interval would have it. Both are measured by the forecast's
uncertainty, so a calm ticker and a wild one count alike. A number that is flagged as one not to rely on is never
material.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from datetime import date

import msgspec

from riskee.messaging.messages import Flag
from riskee.settings import InitiativeSettings

# The latest forecasts that a new one is compared with, and how few say too little.
COMPARED = 2000
ENOUGH = 200
# A report that may be near or the end of the session makes a number no less worth a look; these do.
_UNRELIABLE = {
    Flag.STALE, Flag.HALTED, Flag.FEED_MUTE, Flag.PREDICT_SILENT, Flag.MODEL_EXPIRED, Flag.COLD_WINDOW,
    Flag.MARKET_MISSING,
}  # fmt: skip


class Range(msgspec.Struct):
    """`Interval`, without the middle."""

    p10: float
    p90: float


class Glance(msgspec.Struct):
    """What of a `Prediction` is needed to judge it: decoding the rest would cost more than judging."""

    ticker: str
    session_date: date
    price: float
    expected_return: float
    interval: Range
    flags: tuple[Flag, ...] = ()


class Materiality:
    """Judges each prediction by those before it. After a start, forecasts are compared once there are enough."""

    def __init__(self, settings: InitiativeSettings) -> None:
        self._settings = settings
        self._latest: deque[float] = deque()
        self._ordered: list[float] = []
        self._first: dict[str, tuple[date, float]] = {}

    def opened(self, ticker: str, session: date, price: float) -> None:
        """The price that a session began with, where it was not heard: before a start."""
        if price > 0:
            self._first.setdefault(ticker, (session, price))

    def material(self, seen: Glance) -> bool:
        """Whether the move is material; remembers the prediction in any case."""
        half = math.log(seen.interval.p90 / seen.interval.p10) / 2
        if half <= 0 or not _UNRELIABLE.isdisjoint(seen.flags):
            return False
        strong = self._strong(abs(seen.expected_return) / half)
        session, price = self._first.get(seen.ticker, (None, seen.price))
        if session != seen.session_date:
            price = seen.price
            self._first[seen.ticker] = (seen.session_date, price)
        return strong or abs(math.log(seen.price / price)) / half >= self._settings.price_move

    def _strong(self, strength: float) -> bool:
        stronger = len(self._ordered) - bisect_left(self._ordered, strength)
        enough = len(self._ordered) >= ENOUGH
        insort(self._ordered, strength)
        self._latest.append(strength)
        if len(self._latest) > COMPARED:
            del self._ordered[bisect_left(self._ordered, self._latest.popleft())]
        rare = stronger < self._settings.top_percent / 100 * len(self._latest)
        return enough and rare and strength >= self._settings.least_strength
