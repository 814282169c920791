"""A cache that comes back is told of, though nobody writes; without a server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from riskee.errors import RetryableError
from serving.consumers import cache_watch
from serving.consumers.cache_watch import watch_cache
from serving.health import Health


class Cache:
    """Answers, or not, as the test says; counts how often it was asked."""

    def __init__(self) -> None:
        self.away = self.deaf = False
        self.asked = 0

    async def ping(self) -> None:
        self.asked += 1
        if self.deaf:
            raise RetryableError("the cache does not answer")
        self.away = False

    async def comes_to(self, asked: int) -> None:
        """Wait until it was asked so often."""
        async with asyncio.timeout(20):
            while self.asked < asked:
                await asyncio.sleep(0)


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def health() -> Health:
    return Health("predict")


@pytest.fixture(autouse=True)
async def watch(cache: Cache, health: Health, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(cache_watch, "LOOK_SECONDS", 0.0)
    stopping = asyncio.Event()
    watching = asyncio.create_task(watch_cache(cast("Any", cache), health, stopping))
    yield
    stopping.set()
    async with asyncio.timeout(20):
        await watching


async def turns() -> None:
    """Let the watch look often enough."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_one_that_is_back_is_told_of(cache: Cache, health: Health) -> None:
    cache.away = cache.deaf = True
    health.down("redis", "the cache does not answer")
    await cache.comes_to(3)
    assert not health.ready
    cache.deaf = False
    await turns()
    assert health.ready


async def test_one_that_a_read_found_back_is_told_of_too(cache: Cache, health: Health) -> None:
    cache.away = cache.deaf = True
    health.down("redis", "the cache does not answer")
    await cache.comes_to(1)
    cache.away = cache.deaf = False
    await turns()
    assert health.ready


async def test_one_that_refuses_what_is_written_is_not_told_to_be_well(cache: Cache, health: Health) -> None:
    health.down("redis", "the cache refuses this: OOM")
    await turns()
    assert (health.ready, cache.asked) == (False, 0)
