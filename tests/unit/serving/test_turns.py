"""Whose turn it is."""

import asyncio
from itertools import count

from serving.consumers.turns import Turns


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_jobs_that_wait_come_before_a_wave_that_came_earlier_and_later_ones_after_it() -> None:
    turns, order, gates = Turns(), [], {name: asyncio.Event() for name in ("wave 1", "wave 2", "job 1", "job 2")}

    async def take(name: str) -> None:
        async with turns.wave() if name.startswith("wave") else turns.job():
            order.append(name)
            await gates[name].wait()

    async with asyncio.TaskGroup() as group:
        for name in ("wave 1", "wave 2", "job 1"):
            group.create_task(take(name))
            await settle()
        assert order == ["wave 1"], "one at a time"
        gates["wave 1"].set()
        await settle()
        group.create_task(take("job 2"))
        await settle()
        for gate in gates.values():
            gate.set()
            await settle()
    assert order == ["wave 1", "job 1", "wave 2", "job 2"]


async def test_jobs_without_a_pause_do_not_hold_up_the_waves() -> None:
    """Two consumers of jobs, each with the next batch in hand when the last is answered."""
    turns, order = Turns(), list[str]()

    async def answer(name: str) -> None:
        for _ in range(30):
            async with turns.job():
                order.append(name)
                await asyncio.sleep(0)

    async def predict() -> None:
        for _ in range(5):
            async with turns.wave():
                order.append("wave")
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for work in (answer("normal"), answer("earnings"), predict()):
            group.create_task(work)
    places = [place for place, name in zip(count(), order, strict=False) if name == "wave"]
    between = [later - earlier for earlier, later in zip([-1, *places], places, strict=False)]
    assert max(between) <= 4, f"three turns of jobs at most before each wave: {order}"


async def test_a_turn_that_fails_or_is_given_up_leaves_the_next_one_free() -> None:
    turns = Turns()
    held = asyncio.Event()

    async def fail() -> None:
        async with turns.job():
            await held.wait()
            raise RuntimeError

    async def wait() -> None:
        async with turns.job():
            raise AssertionError

    failing, waiting = asyncio.create_task(fail()), asyncio.create_task(wait())
    await settle()
    waiting.cancel()
    held.set()
    await asyncio.wait([failing, waiting])
    assert isinstance(failing.exception(), RuntimeError)
    async with asyncio.timeout(60), turns.wave():
        pass
