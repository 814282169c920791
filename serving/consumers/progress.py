"""Whether a consumer moves on."""

from collections.abc import Callable

from riskee.errors import FatalError


class Progress:
    """Notes when work was last finished, and calls it a stall where none is for too long though some waits."""

    def __init__(self, name: str, limit_seconds: float, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._limit = limit_seconds
        self._monotonic = monotonic
        self._last = monotonic()

    def made(self) -> None:
        """Work was finished, or there is a good reason why not."""
        self._last = self._monotonic()

    def check(self, due: int) -> None:
        """Raises FatalError where messages have waited for too long without progress."""
        if due == 0:
            self.made()
        waited = self._monotonic() - self._last
        if waited > self._limit:
            raise FatalError(
                f"{self._name}: {due} messages wait and none was finished for {waited:.0f} s",
                "the process ends, to be started anew; look in its log for what it was doing",
            )
