"""Servers that are killed, emptied or away: nothing accepted is lost or doubled, and the product goes on by itself."""

import asyncio
import time
from collections.abc import Callable

import pytest
from redis import Redis

from tests.faults.conftest import full_only, load, times
from tests.faults.recovery import SERVER_SECONDS
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]
AWAY_SECONDS = 30.0


@pytest.mark.parametrize("name", ["nats", "postgres"])
async def test_a_killed_server(name: str, holds: Holds) -> None:
    async def kill(scenario: Scenario) -> None:
        await scenario.strike(lambda: scenario.arena.kill(name), times(3))

    holds(await play(f"kill -9 of {name}", load(), kill, bar=SERVER_SECONDS))


@full_only
async def test_a_cache_that_is_flushed_and_killed(holds: Holds) -> None:
    async def spoil(scenario: Scenario) -> None:
        with Redis.from_url(scenario.arena.settings.redis.url.get_secret_value()) as cache:
            await scenario.strike(cache.flushall, 3)
        await scenario.strike(lambda: scenario.arena.kill("redis"), 3)

    holds(await play("redis flushed, and killed", load(), spoil, bar=SERVER_SECONDS))


@full_only
async def test_a_database_that_is_stopped(holds: Holds) -> None:
    """The services wait: they are not restarted, and say so in their health. Recovery counts from its start."""

    async def stop(scenario: Scenario) -> None:
        arena = scenario.arena
        before = [arena.status(name).pid for name in ("predict", "record")]
        starts, coming = asyncio.Event(), []
        loop = asyncio.get_running_loop()

        def away() -> None:
            time.sleep(AWAY_SECONDS)
            loop.call_soon_threadsafe(starts.set)

        async def stopped() -> None:
            restart = asyncio.to_thread(arena.stack.restart, "postgres", while_stopped=away)
            coming.append(asyncio.create_task(restart))
            async with asyncio.timeout(2 * AWAY_SECONDS):
                await starts.wait()

        await scenario.measure(stopped)
        await coming[0]
        assert [arena.status(name).pid for name in ("predict", "record")] == before

    holds(await play(f"database stopped for {AWAY_SECONDS:g} s", load(), stop, bar=SERVER_SECONDS))
