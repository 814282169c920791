"""Reads of many requests in one: what is shared, and what is not."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from riskee.errors import RetryableError
from serving.api.coalesced import Coalesced


class Source:
    """Answers when it is let go on, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.go_on = asyncio.Event()
        self.trouble: Exception | None = None

    async def read(self, names: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(list(names))
        await self.go_on.wait()
        if self.trouble:
            raise self.trouble
        return {name: len(self.asked) for name in names if name != "missing"}


async def started(reads: Coalesced[int], *names: str) -> list[asyncio.Task[int | None]]:
    tasks = [asyncio.create_task(reads.get(name)) for name in names]
    await asyncio.sleep(0.01)
    return tasks


async def test_those_that_come_meanwhile_share_the_next_read() -> None:
    source = Source()
    reads = Coalesced(source.read)
    first = await started(reads, "a")
    others = await started(reads, "a", "b", "b", "missing")
    source.go_on.set()
    assert await asyncio.gather(*first) == [1]
    assert await asyncio.gather(*others) == [2, 2, 2, None], "never from a read that began before they came"
    assert source.asked == [["a"], ["a", "b", "missing"]]


async def test_a_failure_is_everybodys_who_waited_for_it_and_nobody_elses() -> None:
    source = Source()
    reads = Coalesced(source.read)
    source.trouble = RetryableError("away", "wait")
    tasks = await started(reads, "a", "b")
    source.go_on.set()
    for task in tasks:
        with pytest.raises(RetryableError, match="away"):
            await task
    source.trouble = None
    assert await reads.get("a") == 2


async def test_one_who_gives_up_takes_nobody_along() -> None:
    source = Source()
    reads = Coalesced(source.read)
    gone, stays = await started(reads, "a", "a")
    gone.cancel()
    source.go_on.set()
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_read_is_of_about_so_many_names() -> None:
    source = Source()
    reads = Coalesced(source.read, 3)
    wanted = (["a"], ["b", "c"], ["c", "d", "e"], ["f"])
    source.go_on.set()
    found = await asyncio.gather(*map(reads.all, wanted))
    assert source.asked == [["a", "b", "c"], ["c", "d", "e"], ["f"]], "whoever asks has all of one read"
    assert [{name: each[name] for name in names} for names, each in zip(wanted, found, strict=True)] == [
        {"a": 1}, {"b": 1, "c": 1}, {"c": 2, "d": 2, "e": 2}, {"f": 3},
    ]  # fmt: skip
