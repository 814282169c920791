"""A client of Redis: of one server, or of the one that Sentinels call the master."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from riskee.settings import RedisSettings
from riskee.storage.sentinels import asking_options, master_name, sentinel_addresses
from riskee.storage.trust import redis_trust


def redis_client(settings: RedisSettings) -> Redis:
    """A client that connects on first use, and asks the Sentinels, where there are any, at each new connection.

    Raises FatalError where a Sentinel's address does not parse, or the authority's file holds no certificate.
    """
    limits: dict[str, Any] = {
        "socket_timeout": settings.timeout_seconds,
        "socket_connect_timeout": settings.timeout_seconds,
        # Not after a timeout: whoever waits for the cache waits for one of them only.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        **redis_trust(settings),
    }
    url = settings.url.get_secret_value()
    if not settings.sentinels:
        return Redis.from_url(url, **limits)
    options: dict[str, Any] = dict(parse_url(url))
    # Where the master is, and the kind of connection that finds it again, are the Sentinels' matter.
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    asking = asking_options(settings)
    if asking.get("ssl"):
        options["ssl"] = True
    addresses = sentinel_addresses(settings.sentinels)
    sentinel = Sentinel(addresses, sentinel_kwargs=limits | asking, **(limits | options))  # type: ignore[no-untyped-call]
    client: Redis = sentinel.master_for(master_name(settings))
    return client


async def close_redis(client: Redis) -> None:
    """End its connections, and those to the Sentinels."""
    await client.aclose()
    if isinstance(client.connection_pool, SentinelConnectionPool):
        await client.connection_pool.sentinel_manager.aclose()
