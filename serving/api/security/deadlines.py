"""When an answer must have come, and when a connection that goes on must end."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from riskee.settings import ApiSettings
from serving.api.parameters import LONGEST_WAIT_SECONDS
from serving.api.security.scopes import Patience

# What is left, after a wait that the settings allow, to say that it was in vain.
_TO_ANSWER_SECONDS = 5.0


@dataclass
class Deadlines:
    """The seconds that each kind of route has, and the connections that end with their key."""

    settings: ApiSettings
    _open: defaultdict[str, set[asyncio.Timeout]] = field(default_factory=lambda: defaultdict(set))

    def seconds(self, patience: Patience) -> float | None:
        """How long an answer may take; None: as long as the caller likes and may."""
        usual = self.settings.guard.request_seconds
        match patience:
            case Patience.USUAL:
                return usual
            case Patience.FRESH:
                longest = max(self.settings.fresh_timeout_seconds, LONGEST_WAIT_SECONDS)
                return max(usual, longest + _TO_ANSWER_SECONDS)
            case Patience.EXPLANATION:
                return max(usual, self.settings.explain_timeout_seconds + _TO_ANSWER_SECONDS)
            case Patience.ENDLESS:
                return None

    @property
    def longest(self) -> float:
        """The seconds after which every answer that ends by itself has come."""
        return max(seconds for patience in Patience if (seconds := self.seconds(patience)) is not None)

    @contextmanager
    def held(self, caller_id: str, timeout: asyncio.Timeout) -> Iterator[None]:
        """For the time of a connection that goes on: it ends when its key does."""
        self._open[caller_id].add(timeout)
        try:
            yield
        finally:
            self._open[caller_id].discard(timeout)
            if not self._open[caller_id]:
                del self._open[caller_id]

    def end(self, caller_id: str) -> None:
        """End what goes on for this caller."""
        for timeout in self._open.get(caller_id, ()):
            timeout.reschedule(asyncio.get_running_loop().time())
