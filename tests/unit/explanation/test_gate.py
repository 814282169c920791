"""Who writes next."""

import asyncio
from collections.abc import Awaitable, Callable

from riskee.explanation.gate import Gate, Turn

LONG = 30.0
Visit = Callable[[str, Turn, float], Awaitable[None]]


class Visitors:
    """Go in by name, stay until they are sent out."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._out: dict[str, asyncio.Event] = {}
        self.inside: list[str] = []
        self.turned_away: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, urgent: bool = True, seconds: float = LONG) -> Turn:
        turn, self._out[name] = Turn(urgent), asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._visit(name, turn, seconds))
        await _settle()
        return turn

    async def _visit(self, name: str, turn: Turn, seconds: float) -> None:
        async with self._gate.enter(turn, seconds) as entered:
            (self.inside if entered else self.turned_away).append(name)
            if entered:
                await self._out[name].wait()
                self.inside.remove(name)

    async def send_out(self, name: str) -> None:
        self._out[name].set()
        await _settle()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_so_many_are_inside_and_the_next_goes_in_when_one_leaves() -> None:
    visitors = Visitors(Gate(2, 8))
    for name in "abcd":
        await visitors.come(name)
    assert visitors.inside == ["a", "b"]
    await visitors.send_out("a")
    assert visitors.inside == ["b", "c"]


async def test_people_go_before_the_own_initiative() -> None:
    visitors = Visitors(Gate(1, 8))
    await visitors.come("a", urgent=False)
    await visitors.come("b", urgent=False)
    await visitors.come("c")
    await visitors.send_out("a")
    assert visitors.inside == ["c"]
    await visitors.send_out("c")
    assert visitors.inside == ["b"]


async def test_who_becomes_urgent_goes_first() -> None:
    visitors = Visitors(Gate(1, 8))
    await visitors.come("a")
    await visitors.come("b", urgent=False)
    turn = await visitors.come("c", urgent=False)
    turn.urgent = True
    await visitors.send_out("a")
    assert visitors.inside == ["c"]


async def test_beyond_the_longest_queue_the_last_of_the_patient_gives_way() -> None:
    visitors = Visitors(Gate(1, 2))
    await visitors.come("a")
    await visitors.come("b", urgent=False)
    await visitors.come("c", urgent=False)
    await visitors.come("d", urgent=False)
    assert visitors.turned_away == ["d"]
    await visitors.come("e")
    assert visitors.turned_away == ["d", "c"]
    await visitors.come("f")
    await visitors.come("g")
    assert visitors.turned_away == ["d", "c", "b", "g"]


async def test_who_waits_too_long_is_turned_away_and_takes_no_place() -> None:
    gate = Gate(1, 8)
    visitors = Visitors(gate)
    await visitors.come("a")
    await visitors.come("b", seconds=0.0)
    await visitors.come("c")
    await asyncio.wait_for(visitors.tasks["b"], 60)
    assert visitors.turned_away == ["b"]
    assert gate.waiting == 1
    await visitors.send_out("a")
    assert visitors.inside == ["c"]


async def test_a_cancelled_visitor_leaves_its_place_to_the_next() -> None:
    gate = Gate(1, 8)
    visitors = Visitors(gate)
    for name in "abc":
        await visitors.come(name)
    visitors.tasks["b"].cancel()
    visitors.tasks["a"].cancel()
    await _settle()
    assert visitors.inside[-1] == "c"
    await visitors.send_out("c")
    assert not gate.full


async def test_a_visitor_who_is_cancelled_while_let_in_leaves_its_place() -> None:
    gate = Gate(1, 8)
    visitors = Visitors(gate)
    await visitors.come("a")
    await visitors.come("b")
    visitors._out["a"].set()
    while visitors.inside:  # b is chosen in the very turn in which a leaves
        await asyncio.sleep(0)
    visitors.tasks["b"].cancel()
    await _settle()
    assert not gate.full
