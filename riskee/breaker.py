"""A circuit breaker: after failures in a row, stop asking for a while."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Breaker:
    """Allows calls until `limit` fail in a row, then none for `rest_seconds`, then one: if it fails too, rest again."""

    monotonic: Callable[[], float]
    limit: int = 3
    rest_seconds: float = 60.0
    _failures: int = 0
    _open_until: float = 0.0

    @property
    def closed(self) -> bool:
        """Whether the last calls did not all fail."""
        return self._failures < self.limit

    @property
    def resting(self) -> bool:
        """Whether nobody is allowed now."""
        return self._failures >= self.limit and self.monotonic() < self._open_until

    def allows(self) -> bool:
        """Whether to ask. After a rest the first caller tries for all others, who rest on until it knows."""
        if self._failures < self.limit:
            return True
        if self.monotonic() < self._open_until:
            return False
        self._open_until = self.monotonic() + self.rest_seconds
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._open_until = self.monotonic() + self.rest_seconds
