"""Work on servers beside computation: in order, one at a time, and none of it lost by a failure."""

import asyncio
from functools import partial

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
    await overlap.begin(partial(work, "first"))
    await asyncio.sleep(0)
    told.append("computed")
    let_go.set()
    await overlap.begin(partial(work, "second"))
    await overlap.finish()
    assert told == ["first begins", "computed", "first ends", "second begins", "second ends"]


async def test_what_failed_is_begun_again_and_what_waited_for_it_comes_after() -> None:
    told: list[str] = []
    failures = ["once"]

    async def work(name: str) -> None:
        if name == "first" and failures:
            raise ValueError(failures.pop())
        told.append(name)

    overlap = Overlap()
    await overlap.begin(partial(work, "first"))
    with pytest.raises(ValueError, match="once"):
        await overlap.begin(partial(work, "second"))
    assert told == []
    await overlap.finish()
    assert told == ["first", "second"]


async def test_resting_waits_and_raises_nothing_yet() -> None:
    async def fail() -> None:
        raise ValueError("lost")

    overlap = Overlap()
    await overlap.rest()
    await overlap.begin(fail)
    await overlap.rest()
    with pytest.raises(ValueError, match="lost"):
        await overlap.finish()
