"""Redis Sentinels: how they are asked, and which server they call the master."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from riskee.errors import FatalError, RetryableError
from riskee.settings import RedisSettings
from riskee.storage.trust import redis_trust


def located(settings: RedisSettings, timeout_seconds: float) -> RedisSettings:
    """The settings with the address of the master, as the Sentinels know it now, in place of its name.

    For work that is done at once; a client that stays asks again by itself (`redis_client`). Without Sentinels the
    settings as they are. Raises RetryableError where none of them knows a master, FatalError as `sentinel_addresses`.
    """
    if not settings.sentinels:
        return settings
    limits = {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds}
    asking = asking_options(settings) | limits | {"retry": Retry(NoBackoff(), 0)}
    name = master_name(settings)
    try:
        with Sentinel(sentinel_addresses(settings.sentinels), sentinel_kwargs=asking) as sentinel:  # type: ignore[no-untyped-call]
            host, port = sentinel.discover_master(name)
    except RedisError as error:
        raise RetryableError(
            f"no Sentinel names a master {name!r} that is there: {error}",
            "see that they run, that RISKEE_REDIS__SENTINELS is right, and with it …__SENTINEL_USER and …_PASSWORD",
        ) from error
    parts = urlsplit(settings.url.get_secret_value())
    user, at, _ = parts.netloc.rpartition("@")
    there = f"[{host}]" if ":" in host else host
    url = urlunsplit(parts._replace(netloc=f"{user}{at}{there}:{port}"))
    return settings.model_copy(update={"url": SecretStr(url), "sentinels": ()})


def master_name(settings: RedisSettings) -> str:
    """What the Sentinels call the master: the host of the address, as it is written. Raises FatalError for none."""
    # `hostname` would be in small letters; to Sentinels these are other names.
    name = urlsplit(settings.url.get_secret_value()).netloc.rpartition("@")[2].partition(":")[0]
    if not name:
        raise FatalError("the cache's address names no master", "redis://user@<name that the Sentinels know>/0")
    return name


def asking_options(settings: RedisSettings) -> dict[str, Any]:
    """Who asks the Sentinels, and over TLS where the cache is reached so."""
    options: dict[str, Any] = redis_trust(settings)
    if settings.url.get_secret_value().startswith("rediss:"):
        options["ssl"] = True
    if settings.sentinel_user:
        options["username"] = settings.sentinel_user
    if settings.sentinel_password is not None:
        options["password"] = settings.sentinel_password.get_secret_value()
    return options


def sentinel_addresses(sentinels: Sequence[str]) -> list[tuple[str, int]]:
    """Host and port of each. Raises FatalError where one does not parse."""
    try:
        return [(host, int(port)) for host, _, port in (address.rpartition(":") for address in sentinels)]
    except ValueError as error:
        raise FatalError("the address of a Sentinel does not parse", "host:port in RISKEE_REDIS__SENTINELS") from error
