"""How a consumer stands, seen from its durable: what waits, whether it moves on, and what it has lost for good."""

import asyncio
from datetime import datetime, timedelta

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.streams import stream_of
from riskee.storage.bus import Bus
from riskee.storage.expiry import Expiry
from riskee.storage.inbox import Inbox
from riskee.telemetry import MESSAGES_EXPIRED, QUEUE_DEPTH
from serving.consumers.progress import Progress
from serving.health import Health

_EVERY_SECONDS = 5.0
# Long enough for whoever looks after an alarm; the counter and the log tell of what is longer ago.
_TOLD_FOR = timedelta(hours=1)

_log = get_logger(__name__)


class Watch:
    """Looks at a durable every few seconds. What was removed unread stands in the health for an hour after the last of
    it."""

    def __init__(self, bus: Bus, inbox: Inbox, progress: Progress, health: Health, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock
        self._progress = progress
        self._health = health
        self._name = inbox.durable.name
        self._stream = stream_of(inbox.durable.subject).name
        self._expiry = Expiry(bus, self._stream, self._name)
        self._note = f"{self._name} removed unread"
        self._removed = 0
        self._told_at: datetime | None = None

    async def begin(self) -> None:
        """Open the inbox, after a look at what was removed while nobody read.

        Raises RetryableError where the bus does not answer.
        """
        self._tell(await self._expiry.removed())
        await self._inbox.open()

    async def run(self) -> None:
        """Look until cancelled. Raises FatalError where messages wait and nothing is finished."""
        # A counter that begins with its first loss hides it from whoever looks at increases.
        MESSAGES_EXPIRED.labels(self._name)
        try:
            await self._look()
        finally:
            # The backlog, and what will be removed of it, is that of whoever reads the durable next.
            QUEUE_DEPTH.remove(self._name)
            self._health.unnote(self._note)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                backlog = await self._inbox.backlog()
                self._tell(await self._expiry.removed())
            except RetryableError as error:
                _log.warning("the bus is away", durable=self._name, cause=str(error))
                self._progress.made()
                continue
            QUEUE_DEPTH.labels(self._name).set(backlog.total)
            self._progress.check(backlog.due)

    def _tell(self, removed: int) -> None:
        now = self._clock.now()
        if removed:
            MESSAGES_EXPIRED.labels(self._name).inc(removed)
            step = f"read faster, or raise the limits of {self._stream}; a feed's bars can be imported again"
            _log.error("messages were never delivered", durable=self._name, about=removed, next_step=step)
            self._removed, self._told_at = self._removed + removed, now
            told = f"about {self._removed} of {self._stream} never delivered, last noticed {now:%F %T} UTC: {step}"
            self._health.note(self._note, told)
        elif self._told_at is not None and now - self._told_at >= _TOLD_FOR:
            self._removed, self._told_at = 0, None
            self._health.unnote(self._note)
