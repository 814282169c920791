"""Work one after the other, but for what hangs."""

import asyncio

import pytest

from serving.consumers.singly import Singly


async def work(singly: Singly, name: str, told: list[str], ending: asyncio.Event) -> None:
    async with singly.turn():
        told.append(f"{name} begins")
        await ending.wait()
        told.append(f"{name} ends")


async def test_one_begins_when_the_other_has_ended() -> None:
    singly, told, ending = Singly(60), list[str](), asyncio.Event()
    both = [asyncio.create_task(work(singly, name, told, ending)) for name in ("first", "second")]
    await asyncio.sleep(0.01)
    ending.set()
    await asyncio.gather(*both)
    assert told == ["first begins", "first ends", "second begins", "second ends"]


async def test_what_hangs_holds_up_nobody_for_long() -> None:
    singly, told, never, at_once = Singly(0.01), list[str](), asyncio.Event(), asyncio.Event()
    at_once.set()
    hanging = asyncio.create_task(work(singly, "hanging", told, never))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        for name in ("second", "third"):
            await work(singly, name, told, at_once)
    assert told[0] == "hanging begins"
    assert told[1:] == ["second begins", "second ends", "third begins", "third ends"]
    never.set()
    await hanging
    # It has given back only what was its own.
    await work(singly, "fourth", told, at_once)
    assert told[-1] == "fourth ends"


async def test_a_failure_gives_the_turn_back() -> None:
    singly, told, at_once = Singly(60), list[str](), asyncio.Event()
    at_once.set()

    async def fail() -> None:
        async with singly.turn():
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        await fail()
    async with asyncio.timeout(30):
        await work(singly, "next", told, at_once)
    assert told[-1] == "next ends"
