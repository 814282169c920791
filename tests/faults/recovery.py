"""How long the product takes to be itself again after a fault, and the bars for it."""

import asyncio
import math
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from riskee.clock import Clock
from tests.faults.observing import Observer

SERVICE_SECONDS = 5.0
SERVER_SECONDS = 15.0
_LONGEST_SECONDS = 60.0
_POLL_SECONDS = 0.05
# A child that works for half a second: how much longer it takes is what others take from it.
_WORK = """
from time import perf_counter, process_time
wall, cpu = perf_counter(), process_time()
while process_time() - cpu < 0.5:
    pass
print((perf_counter() - wall) / (process_time() - cpu))
"""


@dataclass(frozen=True)
class Recovery:
    """One fault, in seconds. `flowing`: until a quote that was received after the fault had its prediction stored.
    `settled`: until all that was on the bus by then was handled and acknowledged."""

    flowing: float
    settled: float

    @property
    def seconds(self) -> float:
        return max(self.flowing, self.settled)


async def recover(observer: Observer, clock: Clock, fault: Callable[[], Awaitable[None]]) -> Recovery:
    """Do a fault and watch until the product has recovered from it, while the load goes on."""
    before = await observer.ends()
    await fault()
    at, loop = clock.now(), asyncio.get_running_loop()
    began = loop.time()

    async def flows() -> bool:
        newest = await observer.newest_prediction()
        return newest is not None and newest > at

    async def until(check: Callable[[], Awaitable[bool]]) -> float:
        while not await check():
            taken = loop.time() - began
            assert taken < _LONGEST_SECONDS, f"no recovery within {taken:.0f} s: {await observer.unsettled(before)}"
            await asyncio.sleep(_POLL_SECONDS)
        return loop.time() - began

    async def settles() -> float:
        ends = await observer.ends(before)
        return await until(lambda: observer.settled(ends))

    flowing, settled = await asyncio.gather(until(flows), settles())
    return Recovery(flowing, settled)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all do not exceed: of few values the largest."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def slowness() -> float:
    """By how much other processes slow one down right now: 1 on a quiet machine.

    A bar is multiplied by it, as it was before the load or after it, whichever was slower.
    """
    done = subprocess.run([sys.executable, "-c", _WORK], check=True, capture_output=True, text=True)
    return max(1.0, float(done.stdout))


def too_slow(recoveries: Sequence[Recovery], bar: float, slowed: float) -> list[str]:
    """The bar, if it does not hold: p95 of all recoveries of a scenario, in seconds."""
    p95 = percentile([recovery.seconds for recovery in recoveries], 0.95)
    return [f"recovery p95 {p95:.1f} s, allowed {bar:g} s x {slowed:.2f}"] if p95 > bar * slowed else []
