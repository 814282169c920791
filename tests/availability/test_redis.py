"""Three Sentinels watch a Redis and its replica: when the first dies, the second serves, and the product finds it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskee.backup.redis import RedisServer
from riskee.cli.server_checks import check_redis
from riskee.errors import RetryableError
from riskee.settings import RedisSettings, Settings
from riskee.storage.cache import Cache
from tests.availability.measuring import MEASURED, Pauses, Takeover
from tests.availability.servers import HOST
from tests.availability.watched_redis import Patience, Watched, watched_redis
from tests.integration.conftest import eventually
from tests.integration.made_predictions import made, put


@pytest.fixture
def watched(folder: Path) -> Iterator[Watched]:
    with watched_redis(folder, Patience(1000, RedisSettings().timeout_seconds)) as watched:
        yield watched


async def test_the_cache_serves_again_from_the_replica(watched: Watched) -> None:
    await eventually(watched.agreed, 30)
    cache = Cache.connect(watched.settings("predict"))
    pauses, stopping = Pauses(), asyncio.Event()
    written = 0.0

    async def write() -> None:
        nonlocal written
        while not stopping.is_set():
            try:
                await put(cache, made(price=written + 1))
            except RetryableError:
                pauses.failed += 1
            else:
                written += 1
                pauses.succeeded()
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    await eventually(lambda: written > 50)
    before = written
    watched.first.kill()
    await eventually(lambda: written > before + 50, 60)
    stopping.set()
    await writing
    assert (await watched.role(watched.second))[0] == "master"
    MEASURED.append(Takeover("Redis, killed master", int(written), None, pauses.failed, pauses.longest))
    await cache.close()
    await what_is_done_at_once_follows(watched)
    await the_killed_one_comes_back_as_a_replica(watched)


async def what_is_done_at_once_follows(watched: Watched) -> None:
    """A backup, and the doctor."""
    server = RedisServer(watched.settings("backup"))
    blocks: list[bytes] = []
    _, counts = await asyncio.to_thread(server.facts)
    await asyncio.to_thread(server.rdb, blocks.append)
    assert counts["keys"] == 1
    assert b"pred:AAPL" in b"".join(blocks)
    assert (await asyncio.to_thread(check_redis, Settings(redis=watched.settings("operator")))).state == "ok"


async def the_killed_one_comes_back_as_a_replica(watched: Watched) -> None:
    """It asks the Sentinels when it starts: nothing that it wrote down says so."""
    await asyncio.to_thread(watched.start_again, watched.first)
    assert (await watched.role(watched.first))[:3] == ["slave", HOST, watched.second.port]
    for sentinel in watched.sentinels:
        await asyncio.to_thread(sentinel.stop)
        await asyncio.to_thread(sentinel.start)
    await eventually(watched.agreed, 60)
