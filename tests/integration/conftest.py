"""Fixtures of the live path: the bus with empty streams, and consumers that run inside the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from riskee.clock import SystemClock
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from serving.consumers.service import Service, serve
from serving.health import Health


@dataclass(frozen=True)
class Running:
    """A consumer under test."""

    health: Health
    stopping: asyncio.Event


@pytest.fixture
async def bus(settings: Settings) -> AsyncIterator[Bus]:
    """A connection to new streams; deleting the old ones also forgets which message ids they saw."""
    bus = await Bus.connect(settings.nats, "test", timeout=10)
    for info in await bus.jetstream.streams_info():
        await bus.jetstream.delete_stream(str(info.config.name))
    await bus.ensure_streams()
    yield bus
    await bus.close()


@pytest.fixture
async def cache(settings: Settings) -> AsyncIterator[Cache]:
    """An empty cache."""
    cache = Cache.connect(settings.redis)
    await cache._redis.flushdb()
    yield cache
    await cache.close()


@asynccontextmanager
async def consumer(name: str, settings: Settings, main: Callable[[Service], Awaitable[None]]) -> AsyncIterator[Running]:
    """A consumer in this event loop, stopped as by SIGTERM at the end. Its failure is the test's."""
    running: list[Running] = []

    async def started(service: Service) -> None:
        running.append(Running(service.health, service.stopping))
        await main(service)

    stopping = asyncio.Event()
    metrics = settings.metrics.model_copy(update={f"{name}_port": 0})
    own = settings.model_copy(update={"metrics": metrics})
    task = asyncio.create_task(serve(name, own, started, clock=SystemClock(), stopping=stopping))
    try:
        await eventually(lambda: running or task.done())
        if task.done():
            await task
        yield running[0]
    finally:
        stopping.set()
        await asyncio.wait_for(task, 20)


async def eventually(check: Callable[[], object], seconds: float = 15) -> None:
    """Wait until a check is true; fails the test where that takes too long."""
    async with asyncio.timeout(seconds):
        while True:
            found = check()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)
