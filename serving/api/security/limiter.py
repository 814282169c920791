"""How often one may ask: leaky buckets in Redis (GCRA), of which each process takes permits by the block.

A request then costs no round trip. What a process took is taken from the bucket, so that all processes together never
give more than the limit; what it does not use within a second is lost, a quarter of a second's worth at most.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from riskee.errors import RetryableError
from riskee.settings import LimitSettings
from riskee.storage.keys import RATE
from riskee.telemetry import RATE_UNCHECKED

_LEASE_SECONDS = 1.0
_BLOCK_SECONDS = 0.25
_REMEMBERED = 10_000

# KEYS: the bucket. ARGV: us for one permit, size of the bucket, permits needed, permits wanted; where there are not as
# many as are needed none is taken.
# Its value is when the bucket is full again. Gives: permits, permits left, us until those needed, us until all.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local each, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local needed, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local free = math.floor((now + size * each - full_at) / each + 0.000001)
local taken = 0
if free >= needed then
    taken = math.min(wanted, free)
    full_at = full_at + taken * each
    redis.call('SET', KEYS[1], full_at, 'PX', math.ceil((full_at - now) / 1000))
end
return {taken, math.max(free - taken, 0), math.ceil(math.max(full_at + (needed - size) * each - now, 0)),
        math.ceil(full_at - now)}
"""

Kind = Literal["key", "address"]
Evaluate = Callable[..., Awaitable[list[int]]]


async def _not_started(_script: str, _name: str, *_arguments: float) -> list[int]:
    raise RetryableError("the API has not started")


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a request may pass, and what is left."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    retry_seconds: int = 0


@dataclass(slots=True)
class _Lease:
    permits: int = 0
    left: int = 0
    until: float = 0.0
    full_at: float = 0.0
    refused_until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Limiter:
    """Counts the requests of keys and addresses. Where Redis is away all pass, and that is counted."""

    settings: LimitSettings
    evaluate: Evaluate = _not_started
    monotonic: Callable[[], float] = time.monotonic
    _leases: OrderedDict[tuple[Kind, str], _Lease] = field(default_factory=OrderedDict)

    async def take(self, kind: Kind, who: str, count: int = 1) -> Allowance:
        """One permit for a request, or so many together: all of them or none."""
        limit = self._limit(kind)
        lease = self._lease(kind, who)
        allowance = self._take_here(lease, limit, count)
        if allowance is not None:
            return allowance
        async with lease.asking:
            # Whoever waited for the lock finds what the first one brought.
            allowance = self._take_here(lease, limit, count)
            return allowance or await self._take_there(lease, kind, who, count)

    def most(self, kind: Kind) -> int:
        """The permits that there are at most at once: whoever asks for more would never get them."""
        return max(int(self._limit(kind) / 60 * self.settings.burst_seconds), 1)

    def _limit(self, kind: Kind) -> int:
        return self.settings.key_per_minute if kind == "key" else self.settings.address_per_minute

    def _lease(self, kind: Kind, who: str) -> _Lease:
        lease = self._leases.get((kind, who))
        if lease is None:
            lease = self._leases[kind, who] = _Lease()
            if len(self._leases) > _REMEMBERED:
                self._leases.popitem(last=False)
        else:
            # Out goes who was not heard of for longest, never who asks all the time.
            self._leases.move_to_end((kind, who))
        return lease

    def _take_here(self, lease: _Lease, limit: int, count: int) -> Allowance | None:
        now = self.monotonic()
        # When there will be several only the bucket knows.
        if now < lease.refused_until and count == 1:
            wait = math.ceil(lease.refused_until - now)
            return Allowance(False, limit, 0, _seconds(lease.full_at - now), max(wait, 1))
        if lease.permits >= count and now < lease.until:
            lease.permits -= count
            return Allowance(True, limit, lease.permits + lease.left, _seconds(lease.full_at - now))
        return None

    async def _take_there(self, lease: _Lease, kind: Kind, who: str, count: int) -> Allowance:
        limit, size = self._limit(kind), self.most(kind)
        rate = limit / 60
        block = max(min(int(rate * _BLOCK_SECONDS), size // 4), 1)
        # What is here counts towards the several, and nobody may take it meanwhile.
        held = lease.permits if self.monotonic() < lease.until else 0
        lease.permits = 0
        needed = count - held
        name = RATE.of(kind=kind, who=who)
        try:
            taken, left, next_us, full_us = await self.evaluate(
                _TAKE, name, 1e6 / rate, size, needed, max(needed, block)
            )
        except RetryableError:
            RATE_UNCHECKED.inc()
            return Allowance(True, limit, limit, 0)
        now = self.monotonic()
        lease.full_at = now + full_us / 1e6
        if taken == 0:
            lease.permits, lease.left = held, left
            return _refusal(lease, limit, now, next_us / 1e6, count)
        lease.permits, lease.left, lease.until = held + taken - count, left, now + _LEASE_SECONDS
        return Allowance(True, limit, lease.permits + left, _seconds(full_us / 1e6))


def _refusal(lease: _Lease, limit: int, now: float, wait: float, count: int) -> Allowance:
    """What is told of permits that come after so many seconds; noted, for whoever asks for one before."""
    if count == 1:
        lease.refused_until = now + wait
    left = lease.permits + lease.left
    return Allowance(False, limit, left, _seconds(lease.full_at - now), max(math.ceil(wait), 1))


def _seconds(seconds: float) -> int:
    return max(math.ceil(seconds), 0)
