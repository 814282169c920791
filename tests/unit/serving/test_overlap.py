"""Work on servers beside computation: in order, one at a time, and no failure lost."""

import asyncio

import pytest

from serving.consumers.overlap import Overlap


async def test_work_goes_on_beside_its_caller_and_in_order() -> None:
    told: list[str] = []
    let_go = asyncio.Event()

    async def work(name: str) -> None:
        told.append(f"{name} begins")
        await let_go.wait()
        told.append(f"{name} ends")

    overlap = Overlap()
    await overlap.finish()
    overlap.begin(work("first"))
    await asyncio.sleep(0)
    told.append("computed")
    let_go.set()
    await overlap.finish()
    overlap.begin(work("second"))
    await overlap.finish()
    assert told == ["first begins", "computed", "first ends", "second begins", "second ends"]


async def test_a_failure_is_raised_once_by_the_next_who_waits() -> None:
    async def fail() -> None:
        raise ValueError("lost")

    overlap = Overlap()
    overlap.begin(fail())
    with pytest.raises(ValueError, match="lost"):
        await overlap.finish()
    await overlap.finish()
