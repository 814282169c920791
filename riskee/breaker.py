"""A circuit breaker: after failures in a row, stop asking for a while."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Breaker:
    """Allows calls until `limit` fail in a row, then none for `rest_seconds`; each further failure rests again."""

    monotonic: Callable[[], float]
    limit: int = 3
    rest_seconds: float = 60.0
    _failures: int = 0
    _open_until: float = 0.0

    @property
    def allows(self) -> bool:
        return self._failures < self.limit or self.monotonic() >= self._open_until

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._open_until = self.monotonic() + self.rest_seconds
