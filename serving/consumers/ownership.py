"""Which units of work this predictor does: it takes what is due to it, and gives up what is due to another.

That one unit has one owner at a time saves work and is no more: what two do at once is stored once (docs/adr/0092).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from riskee.logs import get_logger
from riskee.telemetry import PARTITION_MOVES, PARTITIONS_HELD, PREDICTORS
from serving.consumers.members import BEAT_SECONDS, Members
from serving.consumers.partitions import Unit, divided, undivided
from serving.consumers.shares import shares
from serving.health import Health

# Long enough to hear what others say to what one said: that they live, or that they claim the same.
HEARING_SECONDS = 0.1

_log = get_logger(__name__)


@dataclass(frozen=True)
class Tenure:
    """The time that a unit is held, from its taking until the last of its work is done."""

    unit: Unit
    task: asyncio.Task[None]
    ending: asyncio.Event


@dataclass
class Ownership:
    """Holds units for as long as the service runs."""

    members: Members
    health: Health
    stopping: asyncio.Event
    # Called once, before the first unit is taken.
    prepare: Callable[[], Awaitable[None]]
    # Does the work of a unit until the event is set, then finishes what has arrived.
    work: Callable[[Unit, asyncio.Event], Awaitable[None]]
    _prepared: bool = False
    _tenures: dict[str, Tenure] = field(default_factory=dict)
    # Units that the others were told of, and that are taken if nobody else says that he holds them.
    _claims: set[str] = field(default_factory=set)

    @property
    def held(self) -> tuple[Unit, ...]:
        """The units that it works on."""
        return tuple(tenure.unit for tenure in self._tenures.values() if not tenure.ending.is_set())

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots of the tickers that it predicts."""
        return tuple(sorted(slot for unit in self.held for slot in unit.slots))

    async def run(self) -> None:
        """Share the work until asked to stop; then finish what has arrived and say that this one leaves."""
        await self.members.join()
        try:
            async with asyncio.TaskGroup() as group:
                waker = group.create_task(self._wake_when_stopping())
                await asyncio.sleep(HEARING_SECONDS)
                while self._tenures or not self.stopping.is_set():
                    self.members.changed.clear()
                    await self._settle(group)
                    await self.members.tell([*self._tenures, *self._claims])
                    await self._pause()
                waker.cancel()
        finally:
            await self.members.tell((), leaving=True)

    async def _settle(self, group: asyncio.TaskGroup) -> None:
        """Give up what is not due to this one, and take what is and is free."""
        self._tenures = {name: tenure for name, tenure in self._tenures.items() if not tenure.task.done()}
        due = {} if self.stopping.is_set() else self._due()
        for name, tenure in self._tenures.items():
            if name not in due and not tenure.ending.is_set():
                self._give_up(tenure)
        elsewhere = {name for other in self.members.others().values() for name in other.holds}
        wanted = due.keys() - self._tenures.keys()
        free = sorted(wanted & self._claims - elsewhere)
        if free and not self._prepared:
            await self.prepare()
            self._prepared = True
        for name in free:
            self._take(due[name], group)
        self._claims = wanted - {*free}
        self._report()

    def _due(self) -> dict[str, Unit]:
        """What this one should hold. While the bus is away nobody can know better than to go on."""
        members, others = self.members, self.members.others()
        if not members.bus.connected:
            return {name: tenure.unit for name, tenure in self._tenures.items()}
        divided_otherwise = any(other.partitions != members.partitions and other.holds for other in others.values())
        if divided_otherwise and not self._tenures:
            # What they hold must be free before it is divided anew.
            return {}
        holds = {str(member): other.holds for member, other in others.items() if other.partitions == members.partitions}
        holds[str(members.me)] = (*self._tenures, *self._claims)
        due: dict[str, Unit] = {}
        # The undivided unit is dealt apart: where the work is divided it has none, so it must not count as a share.
        for kind in ((undivided(members.partitions),), divided(members.partitions)):
            units = {unit.name: unit for unit in kind}
            due |= {name: units[name] for name in shares([*units], holds)[str(members.me)]}
        return due

    def _take(self, unit: Unit, group: asyncio.TaskGroup) -> None:
        ending = asyncio.Event()
        self._tenures[unit.name] = Tenure(unit, group.create_task(self._hold(unit, ending)), ending)
        PARTITION_MOVES.labels("taken").inc()
        _log.info("taken", unit=unit.name)

    @staticmethod
    def _give_up(tenure: Tenure) -> None:
        tenure.ending.set()
        PARTITION_MOVES.labels("given_up").inc()
        _log.info("given up", unit=tenure.unit.name)

    async def _hold(self, unit: Unit, ending: asyncio.Event) -> None:
        await self.work(unit, ending)
        self.members.changed.set()

    def _report(self) -> None:
        held, predictors = sorted(unit.name for unit in self.held), 1 + len(self.members.others())
        PARTITIONS_HELD.set(len(held))
        PREDICTORS.set(predictors)
        self.health.note("units", f"{', '.join(held) or 'none, in reserve'}; predictors that live: {predictors}")

    async def _pause(self) -> None:
        """Until the next beat, or something has changed; where there are claims, until others had time to answer."""
        if self._claims:
            await asyncio.sleep(HEARING_SECONDS)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self.members.changed.wait(), BEAT_SECONDS)

    async def _wake_when_stopping(self) -> None:
        await self.stopping.wait()
        self.members.changed.set()
