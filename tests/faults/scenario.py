"""A scenario: load on a running product, faults meanwhile, then the comparison of everything that must hold."""

import asyncio
import dataclasses
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from redis.asyncio import Redis
from sqlalchemy import select

from riskee.clock import SystemClock
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import DeadLetter, Prediction, PredictionFailed, Quote
from riskee.messaging.slots import quote_subject
from riskee.messaging.subjects import PREDICTION_FAILED, PREDICTION_UPDATED
from riskee.storage import tables
from riskee.storage.bus import Bus
from serving.bench.machine import checked_out
from tests.faults.accounting import Evidence, PredictionRow, violations
from tests.faults.arena import Arena, Setup, running
from tests.faults.asking import Asker
from tests.faults.driver import Driver
from tests.faults.observing import Moment, Observer
from tests.faults.poison import Poisoner
from tests.faults.recovery import Recovery, recover, slowness
from tests.faults.reporting import FINISHED, Result
from tests.faults.sameness import differences, stale, unlike

DRAIN_SECONDS = 120.0
_WARM_SECONDS = 2.0
_SESSION_SECONDS = 4.0


@dataclass(frozen=True)
class Load:
    """Quotes a second, and for how long at least. The seed decides prices, moments of faults, poison and samples."""

    rate: float
    seconds: float
    seed: int = 1
    poison: float = 0.0


@dataclass
class OwnClock:
    """The load's clock: the machine's, shifted by so many seconds."""

    shift: float = 0.0

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(seconds=self.shift)


class Source(Protocol):
    """Where the quotes come from: the driver, or ingest with somebody who knows what it has to say."""

    accepted: dict[uuid.UUID, Quote]
    # The quotes of the last moment, the market's first.
    last_round: list[Quote]
    poisoner: Poisoner | None
    # The time of the data that was told last, where that is known.
    told: datetime

    @property
    def due(self) -> Collection[uuid.UUID]:
        """The quotes that must have been predicted once all is at rest."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


@dataclass
class Scenario:
    """What a test of faults has in hand."""

    arena: Arena
    bus: Bus
    observer: Observer
    driver: Source
    clock: OwnClock
    random: random.Random
    # For requests beside the quotes; it asks nothing of itself.
    asker: Asker
    recoveries: list[Recovery] = field(default_factory=list)

    async def drive(self, seconds: float, faults: Callable[["Scenario"], Awaitable[None]]) -> None:
        """Let quotes flow while the faults happen, and at least so long; return when all is at rest."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.driver.run())
            began = time.monotonic()
            await asyncio.sleep(_WARM_SECONDS)
            await faults(self)
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
            self.driver.stop()
        await self.observer.drained(DRAIN_SECONDS)

    async def strike(self, fault: Callable[[], object], times: int) -> None:
        """Do a fault some times, each when the product has recovered from the last one and a moment has passed."""
        for _ in range(times):
            await asyncio.sleep(self.random.uniform(0.5, 2.5))
            await self.measure(lambda: asyncio.to_thread(fault))

    async def measure(self, fault: Callable[[], Awaitable[object]]) -> Recovery:
        """Do one fault and note the recovery, counted from its end."""

        def now() -> Moment:
            return Moment(self.clock.now(), self.driver.told)

        recovery = await recover(self.observer, now, fault)
        print(f"    flowing after {recovery.flowing:.1f} s, settled after {recovery.settled:.1f} s", flush=True)
        self.recoveries.append(recovery)
        return recovery

    async def evidence(self) -> Evidence:
        """Everything that was sent and stored. Call it when nothing moves any more."""
        poison = frozenset(self.driver.poisoner.sent) if self.driver.poisoner else frozenset()
        published = await self.observer.messages(PREDICTION_UPDATED.name)
        updates = [_update(data) for data in published if data not in poison]
        events = [update.payload for update in updates]
        failures = [_failure(data) for data in await self.observer.messages(PREDICTION_FAILED.name)]
        letters = [_letter(data) for data in await self.observer.messages("dead.>")]
        read = self.observer.rows
        stored = tables.predictions.c
        identifying = [stored[each.name] for each in dataclasses.fields(PredictionRow)]
        last = self.driver.last_round
        return Evidence(
            accepted=self.driver.accepted.keys(),
            quotes=[row.quote_id for row in read(select(tables.quotes.c.quote_id))],
            events=[event.prediction_id for event in events],
            predictions=[PredictionRow(*row) for row in read(select(*identifying))],
            due=self.driver.due,
            jobs=self.asker.accepted,
            answers={
                update.payload.prediction_id: update.correlation_id
                for update in updates
                if update.correlation_id != update.payload.quote_id
            },
            refused={failure.correlation_id for failure in failures},
            unlike=unlike(self.arena.engine, events),
            poison=[_text(body.decode(errors="backslashreplace")) for body in sorted(poison)],
            letters=[_text(letter.body) for letter in letters],
            quarantined=[row.body for row in read(select(tables.quarantine.c.body))],
            differences=[
                *differences(self.arena.engine, self.arena.settings, last, self.random),
                *stale(self.arena.engine, await self.observer.cached(), last),
            ],
        )


async def play(
    name: str,
    load: Load,
    faults: Callable[[Scenario], Awaitable[None]],
    *,
    setup: Setup | None = None,
    bar: float | None = None,
    source: Callable[[Arena], Source] | None = None,
    defective: bool = False,
) -> Result:
    """Run a scenario to its end and judge it. `bar` is for the recoveries that it measures, in seconds.

    The quotes come from the driver, unless another source is given. `defective`: a defect was put in and must be
    found, on a busy machine too, so the bar is not eased; and nobody needs the logs.
    """
    result = Result(name, load.rate, 0.0, 0, 0, 0, ("not finished",), bar=bar, commit=checked_out())
    slowed, began = slowness(), time.monotonic()
    print(f"\n  {name}: {load.rate:g} quotes/s for at least {load.seconds:g} s", flush=True)
    try:
        async with running(setup or Setup()) as arena, _scenario(arena, load, source, name) as scenario:
            await scenario.drive(load.seconds, faults)
            result = _judged(result, await scenario.evidence(), scenario.recoveries, max(slowed, slowness()))
            if defective:
                result = msgspec.structs.replace(result, slowness=1.0)
            elif result.failures:
                arena.keep_logs(name)
    finally:
        result = msgspec.structs.replace(result, seconds=time.monotonic() - began, ended_at=SystemClock().now())
        if not defective:
            FINISHED.append(result)
    return result


def _judged(result: Result, evidence: Evidence, recoveries: Sequence[Recovery], slowed: float) -> Result:
    return msgspec.structs.replace(
        result,
        accepted=len(evidence.accepted),
        predictions=len(evidence.predictions),
        answers=len(evidence.answers),
        dead_letters=len(evidence.letters),
        violations=tuple(violations(evidence)),
        recoveries=tuple(recoveries),
        slowness=slowed,
    )


@asynccontextmanager
async def _scenario(
    arena: Arena, load: Load, source: Callable[[Arena], Source] | None, name: str
) -> AsyncIterator[Scenario]:
    clock, settings = OwnClock(), arena.settings
    bus = await Bus.connect(settings.nats, "faults", timeout=10)
    cache = Redis.from_url(settings.redis.url.get_secret_value(), socket_timeout=10)
    try:
        driver = source(arena) if source else _driver(arena, bus, load, clock)
        observer, asker = Observer(bus, arena.engine, cache), Asker(bus, clock, random.Random(load.seed))
        yield Scenario(arena, bus, observer, driver, clock, random.Random(load.seed), asker)
    except BaseException:
        arena.keep_logs(name)
        raise
    finally:
        await cache.aclose()
        await bus.close()


def _driver(arena: Arena, bus: Bus, load: Load, clock: OwnClock) -> Driver:
    per_session = max(8, int(load.rate * _SESSION_SECONDS / len(arena.market.bars[0])))
    poisoner = Poisoner(load.poison, load.seed) if load.poison else None
    settings = arena.settings

    def subject(ticker: str) -> str:
        return quote_subject(ticker, settings.predict.parts, settings.model.market_ticker)

    return Driver(bus, arena.market.rounds(load.seed, per_session), load.rate, clock, subject, poisoner)


def _update(data: bytes) -> Envelope[Prediction]:
    return msgspec.json.decode(data, type=Envelope[Prediction])


def _failure(data: bytes) -> Envelope[PredictionFailed]:
    return msgspec.json.decode(data, type=Envelope[PredictionFailed])


def _letter(data: bytes) -> DeadLetter:
    return msgspec.json.decode(data, type=Envelope[DeadLetter]).payload


def _text(body: str) -> str:
    """As the table keeps it: with every character but one."""
    return body.replace("\0", "\\0")
