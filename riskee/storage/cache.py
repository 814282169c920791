"""The cache: hashes in Redis. Everything in it can be lost at any moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from riskee.errors import RetryableError
from riskee.settings import RedisSettings
from riskee.storage.keys import BODY, Key
from riskee.telemetry import CACHE_READS

# HSET and EXPIRE for each key. One command for many keys: redis-py spends 20 to 40 us on each command.
_WRITE = """
for place, key in ipairs(KEYS) do
    redis.call('HSET', key, unpack(cmsgpack.unpack(ARGV[2 * place])))
    redis.call('EXPIRE', key, ARGV[2 * place - 1])
end
"""
# Few enough to leave other clients their turn.
_SCRIPT_ENTRIES = 500

Part = str | date | datetime
Value = str | bytes | int | float


@dataclass(frozen=True)
class Entry:
    """One hash to write: `fields` are set under `key.of(**parts)`, which then lives for the key's time."""

    key: Key
    parts: Mapping[str, Part]
    fields: Mapping[str, Value]


def _text(part: Value) -> str:
    # Lua's MessagePack knows no bytes.
    return part.decode() if isinstance(part, bytes) else str(part)


def _arguments(entry: Entry) -> tuple[int, bytes]:
    """Time to live and fields as the script takes them; numbers as text, for Lua would round them."""
    fields = [_text(part) for pair in entry.fields.items() for part in pair]
    return entry.key.seconds, msgspec.msgpack.encode(fields)


def _away(error: Exception) -> RetryableError:
    return RetryableError(f"the cache does not answer: {error}", "see `riskee status`")


@dataclass
class Cache:
    """A pool of connections, made on first use."""

    _redis: Redis

    @classmethod
    def connect(cls, settings: RedisSettings) -> Self:
        """A cache that connects when it is first used; a restarted server costs one silent retry."""
        redis = Redis.from_url(
            settings.url.get_secret_value(),
            socket_timeout=settings.timeout_seconds,
            socket_connect_timeout=settings.timeout_seconds,
            retry=Retry(NoBackoff(), 1),
        )
        return cls(redis)

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        """Raises RetryableError where the cache does not answer."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise _away(error) from error

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write all, in a few round trips. Raises RetryableError where the cache does not answer."""
        script = self._redis.register_script(_WRITE)
        try:
            for start in range(0, len(entries), _SCRIPT_ENTRIES):
                chunk = entries[start : start + _SCRIPT_ENTRIES]
                names = [entry.key.of(**entry.parts) for entry in chunk]
                await script(keys=names, args=[argument for entry in chunk for argument in _arguments(entry)])
        except (RedisError, OSError) as error:
            raise _away(error) from error

    async def body(self, key: Key, **parts: Part) -> bytes | None:
        """The JSON under one key, or None. Raises RetryableError where the cache does not answer."""
        return (await self.bodies(key, [parts]))[0]

    async def bodies(self, key: Key, parts: Sequence[Mapping[str, Part]]) -> list[bytes | None]:
        """As `body`, for many keys in one round trip, in their order."""
        pipeline = self._redis.pipeline(transaction=False)
        for each in parts:
            pipeline.hget(key.of(**each), BODY)
        try:
            bodies: list[bytes | None] = await pipeline.execute()
        except (RedisError, OSError) as error:
            CACHE_READS.labels(key.pattern, "error").inc(len(parts))
            raise _away(error) from error
        hits = sum(body is not None for body in bodies)
        CACHE_READS.labels(key.pattern, "hit").inc(hits)
        CACHE_READS.labels(key.pattern, "miss").inc(len(bodies) - hits)
        return bodies

    async def set_text(self, key: Key, text: str, **parts: Part) -> None:
        """Write a plain string. Raises RetryableError where the cache does not answer."""
        try:
            await self._redis.set(key.of(**parts), text, ex=key.seconds)
        except (RedisError, OSError) as error:
            raise _away(error) from error
