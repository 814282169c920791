"""Minutes that are over, as bare numbers: 48 bytes each, where objects would take ten times as much."""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from riskee.market.minutes import MINUTE, MinuteBar

_WIDTH = 6


@dataclass(slots=True)
class PackedMinutes:
    """The minute bars of a session that begins at `opens_at`."""

    opens_at: datetime
    _numbers: "array[float]" = field(default_factory=lambda: array("d"))

    def fits(self, start: datetime) -> bool:
        """Whether it is a minute of the session's own grid."""
        return start >= self.opens_at and (start - self.opens_at) % MINUTE == timedelta()

    def put(self, bar: MinuteBar) -> None:
        """Keep a bar that fits."""
        at = self._at(bar.start)
        missing = at + _WIDTH - len(self._numbers)
        if missing > 0:
            self._numbers.extend([math.nan] * missing)
        self._numbers[at : at + _WIDTH] = array(
            "d", (bar.open, bar.high, bar.low, bar.close, bar.volume, float(bar.revision))
        )

    def get(self, start: datetime) -> MinuteBar | None:
        """The bar of a minute, if there is one."""
        if not self.fits(start):
            return None
        found = self._numbers[self._at(start) : self._at(start) + _WIDTH]
        if not found or math.isnan(found[0]):
            return None
        first, high, low, last, volume, revision = found
        return MinuteBar(start=start, open=first, high=high, low=low, close=last, volume=volume, revision=int(revision))

    def take(self, start: datetime) -> MinuteBar | None:
        """The bar of a minute, which is no longer kept."""
        bar = self.get(start)
        if bar is not None:
            self._numbers[self._at(start)] = math.nan
        return bar

    def starts(self) -> Iterator[datetime]:
        """Of the bars that are kept, in order."""
        for at in range(0, len(self._numbers), _WIDTH):
            if not math.isnan(self._numbers[at]):
                yield self.opens_at + (at // _WIDTH) * MINUTE

    def _at(self, start: datetime) -> int:
        return ((start - self.opens_at) // MINUTE) * _WIDTH
