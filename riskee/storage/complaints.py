"""What the bus complains of by itself: each trouble once, of messages that nobody read in time how many."""

from collections.abc import Callable

from nats.errors import SlowConsumerError

from riskee.logs import get_logger

# A listener that is too slow loses thousands of messages a second, each with a complaint of its own.
_PAUSE_SECONDS = 10.0

_log = get_logger(__name__)


class Complaints:
    """To be called with each error of a connection."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lost: dict[str, int] = {}
        self._told_at: dict[str, float] = {}

    async def __call__(self, error: Exception) -> None:
        """Say it in the log."""
        if isinstance(error, SlowConsumerError):
            self._lose(error.subject)
        else:
            _log.warning("bus error", error=str(error) or type(error).__name__)

    def _lose(self, subject: str) -> None:
        now = self._monotonic()
        self._lost[subject] = self._lost.get(subject, 0) + 1
        if now - self._told_at.get(subject, -_PAUSE_SECONDS) >= _PAUSE_SECONDS:
            _log.warning("messages were not read in time", subject=subject, lost=self._lost.pop(subject))
            self._told_at[subject] = now
