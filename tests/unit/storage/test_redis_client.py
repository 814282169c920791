"""A client of one Redis, or of the master that Sentinels know."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedSSLConnection
from redis.sentinel import Sentinel

from riskee.errors import FatalError
from riskee.settings import RedisSettings
from riskee.storage.redis_client import close_redis, redis_client
from riskee.storage.sentinels import located, master_name

SENTINELS = ("one:26379", "::1:26380")


def asked(client: Redis) -> list[dict[str, Any]]:
    """How each Sentinel is asked."""
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    return [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]


async def test_with_sentinels_the_address_names_the_master() -> None:
    url = SecretStr("redis://someone:secret@riskee/3")
    client = redis_client(RedisSettings(url=url, sentinels=SENTINELS))
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "riskee"
    assert (pool.connection_kwargs["username"], pool.connection_kwargs["db"]) == ("someone", 3)
    assert [(s["host"], s["port"]) for s in asked(client)] == [("one", 26379), ("::1", 26380)]
    assert not any(s["password"] for s in asked(client)), "the Sentinels have none of the master's secrets"
    await close_redis(client)


async def test_the_sentinels_are_asked_by_a_user_of_their_own() -> None:
    settings = RedisSettings(
        url=SecretStr("redis://someone:secret@riskee/0"),
        sentinels=SENTINELS,
        sentinel_user="finder",
        sentinel_password=SecretStr("theirs"),
    )
    client = redis_client(settings)
    assert {(s["username"], s["password"]) for s in asked(client)} == {("finder", "theirs")}
    assert client.connection_pool.connection_kwargs["password"] == "secret"
    await close_redis(client)


async def test_over_tls_master_and_sentinels_are_reached_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riskee.storage.trust.trusting", lambda authority: authority)
    authority = tmp_path / "authority.pem"
    settings = RedisSettings(url=SecretStr("rediss://u:p@riskee:6379/0"), sentinels=SENTINELS, authority=authority)
    client = redis_client(settings)
    pool = client.connection_pool
    assert pool.connection_class is SentinelManagedSSLConnection, "another kind would connect to this machine"
    assert pool.connection_kwargs["ssl_ca_certs"] == str(authority)
    assert isinstance(pool, SentinelConnectionPool)
    for sentinel in pool.sentinel_manager.sentinels:
        assert sentinel.connection_pool.connection_class is SSLConnection
        assert sentinel.connection_pool.connection_kwargs["ssl_ca_certs"] == str(authority)
    await close_redis(client)


@pytest.mark.parametrize("ask", [redis_client, lambda settings: located(settings, 1)])
def test_an_address_without_a_port_is_refused(ask: Any) -> None:
    with pytest.raises(FatalError, match="Sentinel does not parse"):
        ask(RedisSettings(sentinels=("one",)))


@pytest.mark.parametrize("url", ["redis:///0", "redis://someone:secret@/0"])
def test_an_address_that_names_no_master_is_refused(url: str) -> None:
    with pytest.raises(FatalError, match="names no master") as caught:
        redis_client(RedisSettings(url=SecretStr(url), sentinels=SENTINELS))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [("redis://riskee/0", "riskee"), ("rediss://u:p%40@My.Master-1:6379/0", "My.Master-1"), ("redis://u@m", "m")],
)
def test_a_masters_name_is_taken_as_it_is_written(url: str, name: str) -> None:
    assert master_name(RedisSettings(url=SecretStr(url))) == name


def test_without_sentinels_the_address_stays() -> None:
    settings = RedisSettings(url=SecretStr("redis://u:p@somewhere:1/0"))
    assert located(settings, 1) is settings


@pytest.mark.parametrize(
    ("url", "found", "wanted"),
    [
        ("redis://u:p%40ss@riskee/3", ("10.0.0.7", 6380), "redis://u:p%40ss@10.0.0.7:6380/3"),
        ("rediss://riskee:6379/0?protocol=2", ("redis-1.redis", 6379), "rediss://redis-1.redis:6379/0?protocol=2"),
        ("redis://:p@riskee", ("::1", 6379), "redis://:p@[::1]:6379"),
    ],
)
def test_what_is_done_at_once_goes_to_the_master_of_now(
    url: str, found: tuple[str, int], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sentinel, "discover_master", lambda *_: found)
    there = located(RedisSettings(url=SecretStr(url), sentinels=SENTINELS, timeout_seconds=3), 1)
    assert (there.url.get_secret_value(), there.sentinels) == (wanted, ())
    assert there.timeout_seconds == 3
