"""Three Sentinels watch a Redis and its replica: when the first dies, the second serves, and the product finds it."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from infra.embedded.binaries import valkey_server
from riskee.errors import RetryableError
from riskee.settings import RedisSettings
from riskee.storage.cache import Cache
from tests.availability.measuring import MEASURED, Pauses, Takeover
from tests.availability.servers import HOST, Server, free_ports, started
from tests.integration.conftest import eventually
from tests.integration.made_predictions import made, put

MASTER = "riskee"
DOWN_AFTER_MS = 1000


@dataclass(frozen=True)
class Watched:
    """A master, its replica, and who watches them."""

    master: Server
    replica: Server
    sentinels: tuple[Server, ...]

    @property
    def settings(self) -> RedisSettings:
        addresses = tuple(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        return RedisSettings(url=SecretStr(f"redis://{MASTER}/0"), sentinels=addresses)


def _redis(name: str, folder: Path, port: int, *options: str) -> Server:
    (folder / name).mkdir()
    where = ("--bind", HOST, "--port", str(port), "--dir", str(folder / name), "--save", "")
    return Server(name, folder, (str(valkey_server()), *where, *options), port)


def _sentinel(name: str, folder: Path, port: int, watched: int) -> Server:
    (folder / name).mkdir()
    file = folder / name / "sentinel.conf"
    file.write_text(
        f"bind {HOST}\nport {port}\ndir {json.dumps(str(folder / name))}\n"
        f"sentinel monitor {MASTER} {HOST} {watched} 2\n"
        f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}\nsentinel failover-timeout {MASTER} 5000\n"
    )
    return Server(name, folder, (str(valkey_server()), str(file), "--sentinel"), port)


@pytest.fixture
def watched(folder: Path) -> Iterator[Watched]:
    ports = free_ports(5)
    master = _redis("redis-1", folder, ports[0])
    replica = _redis("redis-2", folder, ports[1], "--replicaof", HOST, str(ports[0]))
    sentinels = tuple(_sentinel(f"sentinel-{i}", folder, port, ports[0]) for i, port in enumerate(ports[2:]))
    with started(master, replica, *sentinels):
        yield Watched(master, replica, sentinels)


async def agreed(watched: Watched) -> bool:
    """Whether each Sentinel knows the replica and the other two."""
    for sentinel in watched.sentinels:
        async with Redis(host=HOST, port=sentinel.port, decode_responses=True) as client:
            told: Any = await client.sentinel_master(MASTER)
        if (told["num-slaves"], told["num-other-sentinels"]) != (1, 2):
            return False
    return True


async def test_the_cache_serves_again_from_the_replica(watched: Watched) -> None:
    await eventually(lambda: agreed(watched), 30)
    cache = Cache.connect(watched.settings)
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
    watched.master.kill()
    await eventually(lambda: written > before + 50, 60)
    stopping.set()
    await writing
    async with Redis(host=HOST, port=watched.replica.port, decode_responses=True) as client:
        assert (await client.role())[0] == "master"
        assert await client.dbsize() > 0
    MEASURED.append(Takeover("Redis, killed master", int(written), None, pauses.failed, pauses.longest))
    await cache.close()
