"""How often the product explains unasked: at most so often a minute, and not what was explained lately."""

import uuid
from collections import deque
from datetime import datetime, timedelta
from typing import NamedTuple

from riskee.messaging.explanations import Occasion
from riskee.settings import InitiativeSettings

_MINUTE = timedelta(minutes=1)


class _Asked(NamedTuple):
    message_id: uuid.UUID
    ticker: str
    at: datetime
    occasion: Occasion


class Restraint:
    """Knows the requests of late, whoever made them: people, this process, another one, itself before a restart."""

    def __init__(self, settings: InitiativeSettings) -> None:
        self._settings = settings
        self._asked: deque[_Asked] = deque()
        self._known: set[uuid.UUID] = set()

    @property
    def memory(self) -> timedelta:
        """How far back requests count."""
        return max(_MINUTE, timedelta(minutes=self._settings.ticker_minutes))

    def heard(self, message_id: uuid.UUID, ticker: str, at: datetime, occasion: Occasion) -> None:
        """A request was made. Hearing of it again changes nothing."""
        if message_id not in self._known:
            self._known.add(message_id)
            self._asked.append(_Asked(message_id, ticker, at, occasion))

    def allows(self, ticker: str, now: datetime) -> bool:
        """Whether a ticker may be explained unasked now."""
        while self._asked and now - self._asked[0].at > self.memory:
            self._known.discard(self._asked.popleft().message_id)
        lately = timedelta(minutes=self._settings.ticker_minutes)
        unasked = sum(each.occasion == "material" and now - each.at < _MINUTE for each in self._asked)
        explained = any(each.ticker == ticker and now - each.at < lately for each in self._asked)
        return unasked < self._settings.per_minute and not explained
