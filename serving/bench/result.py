"""All that one measurement of the live path has found."""

import msgspec

from serving.bench import floor
from serving.bench.drain import Drain
from serving.bench.kernel import Timing
from serving.bench.limits import Limits
from serving.bench.loads import Load
from serving.bench.machine import Machine
from serving.bench.options import Options

_EARLIER_FLOOR = f"{floor.DIFFERENCES}; nor, then, the product's lighter client and seldom collector, so it was dearer"


class Measured(msgspec.Struct, kw_only=True):
    """What was measured, where. Parts that were not asked for are empty.

    `model` says how large the champions are, `memory_mib` the most that each process held, `differences` what the bare
    floor does without; measurements that do not tell it had an earlier floor.
    """

    machine: Machine
    model: str
    sessions: int
    options: Options
    seconds: float = 0.0
    # The share of all cores' time that others took meanwhile.
    others: float = 0.0
    loads: list[Load] = msgspec.field(default_factory=list)
    bursts: list[Load] = msgspec.field(default_factory=list)
    openings: list[Load] = msgspec.field(default_factory=list)
    drains: list[Drain] = msgspec.field(default_factory=list)
    kernel: list[Timing] = msgspec.field(default_factory=list)
    limits: Limits | None = None
    memory_mib: dict[str, int] = msgspec.field(default_factory=dict)
    differences: str = _EARLIER_FLOOR

    def pair(self, target: str, rate: int) -> tuple[Load, Load] | None:
        """The load of a target at a rate and that of the floor, measured in turn."""
        loads = [load for load in self.loads if load.rate == rate]
        mine = next((load for load in loads if (load.target, load.beside) == (target, "floor")), None)
        bare = next((load for load in loads if (load.target, load.beside) == ("floor", target)), None)
        return (mine, bare) if mine and bare else None

    def drain(self, what: str) -> Drain | None:
        """The median of the drains of a name; of two the slower one."""
        found = sorted((drain for drain in self.drains if drain.what == what), key=lambda drain: drain.a_second)
        return found[(len(found) - 1) // 2] if found else None
