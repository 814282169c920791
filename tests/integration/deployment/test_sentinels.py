"""Redis with Sentinels by the files of infra/redis: what is done at once goes to the master, and users are held short.

That the services follow a takeover is in tests/availability.
"""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from redis.exceptions import NoPermissionError

from infra.deployment.identities import SENTINEL_USERS
from riskee.backup.redis import RedisServer
from riskee.cli.server_checks import check_redis
from riskee.errors import RetryableError
from riskee.settings import Settings
from riskee.storage.cache import Cache
from riskee.storage.sentinels import located
from tests.availability.servers import HOST, folder_of_servers, free_ports, started
from tests.availability.watched_redis import Patience, Watched, redis_server, watched_redis
from tests.integration.conftest import eventually
from tests.integration.made_predictions import made, put

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    # Nobody dies here: however busy the machine is, the master stays the master.
    with folder_of_servers() as folder, watched_redis(folder, Patience(60_000, 10), sentinels=1) as watched:
        yield watched


async def test_a_backup_and_the_doctor_find_the_master(watched: Watched) -> None:
    cache = Cache.connect(watched.settings("predict"))
    await put(cache, made("AAPL"), made("MSFT"))
    await cache.close()
    server = RedisServer(watched.settings("backup"))
    blocks: list[bytes] = []
    version, counts = await asyncio.to_thread(server.facts)
    await asyncio.to_thread(server.rdb, blocks.append)
    assert version["version"].startswith("valkey ")
    assert counts["keys"] >= 2
    assert b"pred:MSFT" in b"".join(blocks)
    found = await asyncio.to_thread(check_redis, Settings(redis=watched.settings("operator")))
    assert (found.state, found.name) == ("ok", "redis")


async def test_the_replica_has_what_the_master_has(watched: Watched) -> None:
    cache = Cache.connect(watched.settings("predict"))
    await put(cache, made("GOOG"))
    await cache.close()

    async def is_there() -> bool:
        async with watched.client(watched.second, "operator") as client:
            return bool(await client.ttl("pred:GOOG") > 0)

    await eventually(is_there)
    assert (await watched.role(watched.second))[:3] == ["slave", HOST, watched.first.port]


async def test_a_server_that_starts_asks_who_the_master_is(watched: Watched) -> None:
    """It would be the master, by what it was told of the first."""
    (port,) = free_ports(1)
    late = redis_server(watched.folder, "redis-late", port, port, watched.sentinels[0].port)
    with started(late):
        assert (await watched.role(late))[:3] == ["slave", HOST, watched.first.port]
    nobody = redis_server(watched.folder, "redis-alone", port, port, free_ports(1)[0])
    with started(nobody):
        assert (await watched.role(nobody))[0] == "master"


@pytest.mark.parametrize(("user", "password"), [("", None), ("finder", "wrong"), ("nobody", "x")])
async def test_sentinels_tell_no_stranger(watched: Watched, user: str, password: str | None) -> None:
    secret = SecretStr(password) if password else None
    changed = {"sentinel_user": user, "sentinel_password": secret}
    stranger = watched.settings("backup").model_copy(update=changed)
    with pytest.raises(RetryableError, match="no Sentinel names a master 'riskee-redis'") as caught:
        await asyncio.to_thread(located, stranger, 2)
    assert watched.secret("redis_backup") not in str(caught.value)


@pytest.mark.parametrize("user", SENTINEL_USERS)
@pytest.mark.parametrize(
    "command",
    [
        "SENTINEL FAILOVER riskee-redis", "SENTINEL REMOVE riskee-redis", "SENTINEL SET riskee-redis quorum 1",
        "SENTINEL RESET *", "SENTINEL CONFIG SET sentinel-pass x", "ACL LIST", "SHUTDOWN",
    ],
)  # fmt: skip
async def test_who_asks_sentinels_does_not_command_them(watched: Watched, user: str, command: str) -> None:
    async with watched.client(watched.sentinels[0], user) as client:
        assert await client.ping()
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command.split())  # type: ignore[no-untyped-call]
