"""How long the product takes to be itself again after a fault, and the bars for it."""

import asyncio
import math
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.observing import Moment, Observer

SERVICE_SECONDS = 5.0
SERVER_SECONDS = 15.0
# Where others slow the machine by more than this a bar that is missed says nothing.
MOST_SLOWNESS = 2.0
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
    """One fault, in seconds. `flowing`: until every ticker had a prediction from a quote that came after the fault,
    in database and cache. `settled`: until all that was on the bus by then was handled and acknowledged."""

    flowing: float
    settled: float

    @property
    def seconds(self) -> float:
        return max(self.flowing, self.settled)


async def recover(observer: Observer, now: Callable[[], Moment], fault: Callable[[], Awaitable[object]]) -> Recovery:
    """Do a fault and watch until the product has recovered from it, while the load goes on."""
    before = await observer.ends()
    await fault()
    after, loop = now(), asyncio.get_running_loop()
    began = loop.time()

    async def flows() -> bool:
        return await observer.predicted_since(after)

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


class Verdict(StrEnum):
    """What p95 of a scenario's recoveries says about its bar."""

    HELD = "held"
    EASED = "only with the factor"
    UNDECIDED = "undecided: machine too busy"
    MISSED = "missed"


def judge(p95: float, bar: float, slowed: float) -> Verdict:
    """Whether a bar in seconds holds: as it is, or multiplied by the slowness of the machine up to MOST_SLOWNESS."""
    if p95 <= bar:
        return Verdict.HELD
    if p95 <= bar * min(slowed, MOST_SLOWNESS):
        return Verdict.EASED
    return Verdict.UNDECIDED if p95 <= bar * slowed else Verdict.MISSED
