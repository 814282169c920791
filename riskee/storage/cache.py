"""The cache: hashes in Redis. Everything in it can be lost at any moment."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from riskee.breaker import Breaker
from riskee.errors import RetryableError
from riskee.settings import RedisSettings
from riskee.storage.entries import WRITE, Entry, Part, arguments, text_of
from riskee.storage.keys import BODY, Key
from riskee.storage.redis_client import close_redis, redis_client
from riskee.telemetry import CACHE_READS

# One field of many hashes: as commands of their own 5,000 cost this process 52 ms, so 7. A script that only reads: any
# other is refused to a user that may only read these keys.
_READ = """
local found = {}
for number, key in ipairs(KEYS) do found[number] = redis.call('HGET', key, ARGV[1]) end
return found
"""
# Few enough to leave other clients their turn within a millisecond or two.
_SCRIPT_KEYS = 200
# The field of what is cached changes; what is not stays so, for it would live for ever.
_AMEND = """
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then redis.call('HSET', key, ARGV[1], ARGV[2]) end
end
"""
# A server that did not answer is not asked again for so long.
_REST_SECONDS = 3.0
_REMEDY = "see `riskee status`"

ValueT = TypeVar("ValueT")


def decoded(body: bytes | str | None, kind: type[ValueT]) -> ValueT | None:
    """What a cached JSON says; None where there is none, or one that another version of the product wrote."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        return None


@dataclass
class Cache:
    """A pool of connections, made on first use. A server that is away is left alone for some seconds."""

    _redis: Redis
    _breaker: Breaker
    _trouble: str = ""

    @classmethod
    def connect(cls, settings: RedisSettings, rest_seconds: float = _REST_SECONDS) -> Self:
        """A cache that connects when it is first used; a restarted server costs one silent retry.

        One that rests for ever is asked again by `ping` alone: then no other caller waits for a server that is away.
        """
        return cls(redis_client(settings), Breaker(time.monotonic, limit=1, rest_seconds=rest_seconds))

    async def close(self) -> None:
        await close_redis(self._redis)

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Raises RetryableError where the cache does not answer, and without asking where it has just not."""
        if not self._breaker.allows():
            raise RetryableError(self._trouble, _REMEDY)
        async with self._answering():
            yield

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            self._breaker.failed()
            self._trouble = f"the cache does not answer: {error}"
            raise RetryableError(self._trouble, _REMEDY) from error
        except RedisError as error:
            # It answers: others may be served.
            self._breaker.succeeded()
            raise RetryableError(f"the cache refuses this: {error}", _REMEDY) from error
        self._breaker.succeeded()

    @property
    def away(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return not self._breaker.closed

    async def ping(self) -> None:
        """Ask in any case. Raises RetryableError where the cache does not answer."""
        async with self._answering():
            await self._redis.ping()

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write all, in one round trip. Raises RetryableError where the cache does not answer."""
        pipeline = self._redis.pipeline(transaction=False)
        for argument in arguments(entries):
            pipeline.eval(WRITE, 0, argument)
        async with self._guarded():
            await pipeline.execute()

    async def amend(self, key: Key, parts: Sequence[Mapping[str, Part]], name: str, value: str) -> None:
        """Set one field of those hashes that exist; how long they live does not change. Raises as `write`."""
        async with self._guarded():
            for start in range(0, len(parts), _SCRIPT_KEYS):
                names = [key.of(**each) for each in parts[start : start + _SCRIPT_KEYS]]
                await self._redis.eval(_AMEND, len(names), *names, name, value)

    async def body(self, key: Key, **parts: Part) -> bytes | None:
        """The JSON under one key, or None. Raises RetryableError where the cache does not answer."""
        return (await self.bodies(key, [parts]))[0]

    async def bodies(self, key: Key, parts: Sequence[Mapping[str, Part]]) -> list[bytes | None]:
        """As `body`, for many keys in one round trip, in their order."""
        names = [key.of(**each) for each in parts]
        pipeline = self._redis.pipeline(transaction=False)
        for start in range(0, len(names), _SCRIPT_KEYS):
            chunk = names[start : start + _SCRIPT_KEYS]
            pipeline.eval_ro(_READ, len(chunk), *chunk, BODY)
        try:
            async with self._guarded():
                bodies: list[bytes | None] = [body for found in await pipeline.execute() for body in found]
        except RetryableError:
            CACHE_READS.labels(key.pattern, "error").inc(len(parts))
            raise
        hits = sum(body is not None for body in bodies)
        CACHE_READS.labels(key.pattern, "hit").inc(hits)
        CACHE_READS.labels(key.pattern, "miss").inc(len(bodies) - hits)
        return bodies

    async def fields(self, key: Key, names: Sequence[str], **parts: Part) -> list[bytes | str | None]:
        """Fields of one hash, in their order. Raises RetryableError where the cache does not answer."""
        async with self._guarded():
            return await self._redis.hmget(key.of(**parts), list(names))

    async def whole(self, key: Key, **parts: Part) -> dict[str, bytes | str]:
        """All fields of one hash; empty where there is none. Raises as `fields`."""
        async with self._guarded():
            found = await self._redis.hgetall(key.of(**parts))
        return {text_of(name): value for name, value in found.items()}

    async def claim(self, key: Key, text: bytes, seconds: int, **parts: Part) -> bool:
        """Write a plain string that lives so long, where there is none. Answers whether. Raises as `fields`."""
        async with self._guarded():
            return bool(await self._redis.set(key.of(**parts), text, ex=seconds, nx=True))

    async def text(self, key: Key, **parts: Part) -> bytes | str | None:
        """A plain string, or None. Raises as `fields`."""
        async with self._guarded():
            return await self._redis.get(key.of(**parts))

    async def forget(self, key: Key, **parts: Part) -> None:
        """Delete what is under one key. Raises as `fields`."""
        async with self._guarded():
            await self._redis.delete(key.of(**parts))

    async def set_text(self, key: Key, text: str | bytes, **parts: Part) -> None:
        """Write a plain string. Raises RetryableError where the cache does not answer."""
        async with self._guarded():
            await self._redis.set(key.of(**parts), text, ex=key.seconds)

    async def evaluate(self, script: str, name: str, *arguments: float) -> list[int]:
        """What a script answers that works on one key. Raises RetryableError where the cache does not answer."""
        async with self._guarded():
            answer: list[int] = await self._redis.eval(script, 1, name, *arguments)
            return answer
