"""A client of one Redis, or of the master that Sentinels know."""

import pytest
from pydantic import SecretStr
from redis.asyncio.sentinel import SentinelConnectionPool

from riskee.errors import FatalError
from riskee.settings import RedisSettings
from riskee.storage.redis_client import close_redis, redis_client


async def test_with_sentinels_the_address_names_the_master() -> None:
    url = SecretStr("redis://someone:secret@riskee/3")
    client = redis_client(RedisSettings(url=url, sentinels=("one:26379", "::1:26380")))
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "riskee"
    assert (pool.connection_kwargs["username"], pool.connection_kwargs["db"]) == ("someone", 3)
    where = [s.connection_pool.connection_kwargs for s in pool.sentinel_manager.sentinels]
    assert [(s["host"], s["port"]) for s in where] == [("one", 26379), ("::1", 26380)]
    assert not any(s["password"] for s in where), "the Sentinels have none of the master's secrets"
    await close_redis(client)


def test_an_address_without_a_port_is_refused() -> None:
    with pytest.raises(FatalError, match="Sentinel does not parse"):
        redis_client(RedisSettings(sentinels=("one",)))
