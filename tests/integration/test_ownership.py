"""Predictors that share units of work over a real NATS server; the work itself is left out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import pytest

from riskee.clock import SystemClock
from riskee.messaging.slots import SLOTS
from riskee.settings import Settings
from riskee.storage.bus import Bus
from serving.consumers.members import Members
from serving.consumers.ownership import Ownership
from serving.consumers.partitions import Unit
from serving.health import Health
from tests.integration.conftest import eventually

pytestmark = pytest.mark.integration


@dataclass
class Hands:
    """Who works on what, and whether two ever did the same at once."""

    working: Counter[str] = field(default_factory=Counter)
    most: int = 0
    slow: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, unit: Unit, ending: asyncio.Event) -> None:
        self.working[unit.name] += 1
        self.most = max(self.most, *self.working.values())
        try:
            await ending.wait()
            # The last of the work takes its time.
            await asyncio.sleep(0.1)
            while self.slow.is_set():
                await asyncio.sleep(0.01)
        finally:
            self.working[unit.name] -= 1


@dataclass
class Predictor:
    """One of several, as far as its ownership goes."""

    ownership: Ownership
    task: asyncio.Task[None]
    prepared: list[None]

    @property
    def units(self) -> set[str]:
        return {unit.name for unit in self.ownership.held}

    async def leave(self) -> None:
        """As after SIGTERM."""
        self.ownership.stopping.set()
        await asyncio.wait_for(self.task, 60)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@asynccontextmanager
async def predicting(
    settings: Settings, hands: Hands, partitions: int, clock: Callable[[], float] = monotonic
) -> AsyncIterator[Predictor]:
    bus = await Bus.connect(settings.nats, "test", timeout=10)
    members = Members(bus, SystemClock(), partitions, clock)
    prepared: list[None] = []

    async def prepare() -> None:
        prepared.append(None)

    ownership = Ownership(members, Health("predict"), asyncio.Event(), prepare, hands.work)
    predictor = Predictor(ownership, asyncio.create_task(ownership.run()), prepared)
    try:
        yield predictor
    finally:
        hands.slow.clear()
        if not predictor.task.done():
            await predictor.leave()
        await bus.close()


def kill(predictor: Predictor) -> None:
    """As after SIGKILL: it says nothing more, and its work ends."""

    async def mute(*_: object, **__: object) -> None:
        pass

    predictor.ownership.members.tell = mute  # type: ignore[method-assign]
    predictor.task.cancel()


def everything(partitions: int) -> set[str]:
    return {"undivided", *(f"{number}-of-{partitions}" for number in range(partitions))}


def evenly(*predictors: Predictor, partitions: int) -> bool:
    """Whether each unit has one holder and nobody has two partitions more than another."""
    counted = Counter(unit for predictor in predictors for unit in predictor.units)
    sizes = [len(predictor.units - {"undivided"}) for predictor in predictors]
    return counted == Counter(everything(partitions)) and max(sizes) - min(sizes) <= 1


async def test_one_alone_does_everything(bus: Bus, settings: Settings, hands: Hands) -> None:
    async with predicting(settings, hands, 4) as one:
        await eventually(lambda: one.units == everything(4))
        assert one.ownership.slots == tuple(range(SLOTS))
        assert one.prepared == [None]
        report = one.ownership.health.report()
        assert report["notes"] == {"units": "0-of-4, 1-of-4, 2-of-4, 3-of-4, undivided; predictors that live: 1"}


@pytest.mark.parametrize("count", [2, 4])
async def test_the_work_is_shared_by_those_who_live(bus: Bus, settings: Settings, hands: Hands, count: int) -> None:
    """They start one after the other, so each that comes takes over from those before."""
    async with (
        predicting(settings, hands, 4) as one,
        predicting(settings, hands, 4) as two,
        predicting(settings, hands, 4) as three,
        predicting(settings, hands, 4) as four,
    ):
        living = [one, two, three, four]
        await eventually(lambda: evenly(*living, partitions=4))
        for other in living[count:]:
            await other.leave()
        await eventually(lambda: evenly(*living[:count], partitions=4))
    assert hands.most == 1, "nobody began before another had finished"


async def test_who_comes_late_gets_its_share_and_the_rest_stays(bus: Bus, settings: Settings, hands: Hands) -> None:
    async with predicting(settings, hands, 6) as one, predicting(settings, hands, 6) as two:
        await eventually(lambda: evenly(one, two, partitions=6))
        before = one.units, two.units
        async with predicting(settings, hands, 6) as three:
            await eventually(lambda: evenly(one, two, three, partitions=6))
            assert one.units < before[0]
            assert two.units < before[1]
            assert len(three.units) == 2
    assert hands.most == 1


async def test_what_a_killed_one_held_moves(bus: Bus, settings: Settings, hands: Hands) -> None:
    async with predicting(settings, hands, 4) as one, predicting(settings, hands, 4) as two:
        await eventually(lambda: evenly(one, two, partitions=4))
        kept = one.units
        kill(two)
        await eventually(lambda: one.units == everything(4))
        assert kept < one.units


async def test_nobody_takes_what_is_not_finished(bus: Bus, settings: Settings, hands: Hands) -> None:
    async with predicting(settings, hands, 2) as one:
        await eventually(lambda: one.units == everything(2))
        hands.slow.set()
        async with predicting(settings, hands, 2) as two:
            await eventually(lambda: len(one.units) < 3)
            await asyncio.sleep(1.0)
            assert two.units == set()
            hands.slow.clear()
            await eventually(lambda: evenly(one, two, partitions=2))
    assert hands.most == 1


async def test_more_predictors_than_partitions_wait_in_reserve(bus: Bus, settings: Settings, hands: Hands) -> None:
    async with predicting(settings, hands, 1) as one:
        await eventually(lambda: one.units == everything(1))
        async with predicting(settings, hands, 1) as two:
            await eventually(lambda: "none, in reserve" in str(two.ownership.health.report()))
            assert one.units == everything(1)
            await one.leave()
            await eventually(lambda: two.units == everything(1))


async def test_another_division_waits_until_the_old_one_has_gone(bus: Bus, settings: Settings, hands: Hands) -> None:
    """A new number of partitions is rolled out one process at a time."""
    async with predicting(settings, hands, 2) as old:
        await eventually(lambda: old.units == everything(2))
        async with predicting(settings, hands, 4) as new:
            await asyncio.sleep(1.0)
            assert new.units == set()
            assert new.prepared == [], "the durables of those who work are not touched"
            await old.leave()
            await eventually(lambda: new.units == everything(4))


async def test_after_a_pause_of_its_own_nobody_is_taken_for_dead(bus: Bus, settings: Settings, hands: Hands) -> None:
    """As after SIGSTOP and SIGCONT: it has heard nobody, because it heard nothing."""
    jump = 0.0
    async with (
        predicting(settings, hands, 2) as one,
        predicting(settings, hands, 2, lambda: monotonic() + jump) as two,
    ):
        await eventually(lambda: evenly(one, two, partitions=2))
        jump = 1_000.0
        await asyncio.sleep(1.0)
        assert evenly(one, two, partitions=2)
    assert hands.most == 1
