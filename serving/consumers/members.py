"""Who shares the work: each predictor says on the bus that it lives and what it holds, and hears the others.

Nothing is stored. A beat that is lost is made good by the next, and after a restart of the server all are known again
within a beat. Two that do not hear each other do the same work twice, which is harmless: see docs/adr/0092.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from riskee.clock import Clock
from riskee.errors import PoisonError
from riskee.logs import get_logger
from riskee.messaging.envelope import wrap
from riskee.messaging.messages import Presence
from riskee.messaging.subjects import PRESENCE
from riskee.storage.bus import Bus, codec_of

BEAT_SECONDS = 0.5
# One that is silent for longer is dead. Several beats: a busy process may miss one.
DEAD_AFTER_SECONDS = 2.0

_log = get_logger(__name__)


@dataclass
class Members:
    """The predictors that live, this one aside. `join` before anything else."""

    bus: Bus
    clock: Clock
    partitions: int
    # Seconds of a clock that never jumps.
    monotonic: Callable[[], float]
    me: uuid.UUID = field(default_factory=uuid.uuid4)
    # Set when somebody came, went, or took or gave up something.
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _others: dict[uuid.UUID, tuple[float, Presence]] = field(default_factory=dict)
    _told: tuple[str, ...] = ()
    _looked: float | None = None

    async def join(self) -> None:
        """Make oneself known. Those who live answer at once."""
        await self.bus.listen(PRESENCE.name, self._hear)
        await self.tell(())

    async def tell(self, holds: Iterable[str], *, leaving: bool = False) -> None:
        """Say that this one lives and what it holds; without the bus, nothing is said."""
        self._told = tuple(holds)
        presence = Presence(member=self.me, partitions=self.partitions, holds=self._told, leaving=leaving)
        envelope = wrap(presence, message_id=self.me, correlation_id=self.me, source="predict", at=self.clock.now())
        await self.bus.tell(PRESENCE, envelope)

    def others(self) -> dict[uuid.UUID, Presence]:
        """The other predictors that live. To be asked at every beat.

        One that could not hear (its own pause, the bus away) cannot say who died: it gives everyone the full time anew.
        """
        now = self.monotonic()
        paused = self._looked is not None and now - self._looked > DEAD_AFTER_SECONDS / 2
        deaf = paused or not self.bus.connected
        self._looked = now
        for member, (heard, presence) in list(self._others.items()):
            if deaf:
                self._others[member] = now, presence
            elif now - heard > DEAD_AFTER_SECONDS:
                del self._others[member]
                _log.warning("a predictor is silent", member=str(member), held=presence.holds)
        return {member: presence for member, (_, presence) in self._others.items()}

    async def _hear(self, message: Msg) -> None:
        try:
            presence = codec_of(PRESENCE).decode(message.data).payload
        except PoisonError as error:
            _log.warning("not understood", subject=message.subject, cause=str(error))
            return
        if presence.member == self.me:
            return
        _, before = self._others.pop(presence.member, (0.0, None))
        if not presence.leaving:
            self._others[presence.member] = self.monotonic(), presence
        if before is None and not presence.leaving:
            await self.tell(self._told)
        if before is None or presence.leaving or presence.holds != before.holds:
            self.changed.set()
