"""When a vendor may be asked again: at most so often a minute, and not before it wants to be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime


@dataclass
class Pacer:
    """Spreads requests evenly. `monotonic` gives seconds."""

    per_minute: float
    monotonic: Callable[[], float]
    _free_at: float = 0.0
    _quiet_until: float = 0.0

    def pause(self) -> float:
        """Seconds until the next request may begin; that request then counts."""
        now = self.monotonic()
        begin = max(now, self._free_at, self._quiet_until)
        self._free_at = begin + 60.0 / self.per_minute
        return begin - now

    @property
    def left_alone(self) -> bool:
        """Whether the vendor is not to be asked now, whatever the pace."""
        return self.monotonic() < self._quiet_until

    def leave_alone(self, seconds: float) -> None:
        """Begin no request for so long."""
        self._quiet_until = max(self._quiet_until, self.monotonic() + seconds)


def retry_after(header: str, now: datetime) -> float | None:
    """Seconds of a Retry-After, which is a number of them or a date (RFC 9110, 10.2.3); None where it is neither."""
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (TypeError, ValueError):
        return None
