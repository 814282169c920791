"""Work in the background that ends is noticed, unless it was stopped."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from serving.api.background import Background


async def _defect() -> None:
    await asyncio.sleep(0)
    raise RuntimeError("a defect")


async def _finished() -> None:
    await asyncio.sleep(0)


async def _endless() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("work", [_defect, _finished])
async def test_work_that_ends_is_a_failure(
    work: Callable[[], Coroutine[Any, Any, None]], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = asyncio.Event()
    background = Background(failed.set)
    background.start("endless", _endless())
    background.start("ending", work())
    async with asyncio.timeout(60):
        await failed.wait()
    await background.stop()
    assert "ending" in "".join(capsys.readouterr())


async def test_work_that_is_stopped_is_none() -> None:
    failures: list[None] = []
    background = Background(lambda: failures.append(None))
    background.start("endless", _endless())
    await asyncio.sleep(0)
    await background.stop()
    await asyncio.sleep(0)
    assert failures == []
