"""Permits by the block, from a bucket that a test fills; the real one is Redis' (tests/integration)."""

import asyncio

import pytest

from riskee.errors import RetryableError
from riskee.settings import LimitSettings
from riskee.telemetry import RATE_UNCHECKED
from serving.api.security.limiter import Limiter
from tests.unit.seconds import Clock as Seconds


class Bucket:
    """Says what Redis would: a bucket of some size that is never filled again."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.calls = 0
        self.names: set[str] = set()

    async def __call__(
        self, _script: str, name: str, each_us: float, _size: int, needed: int, wanted: int
    ) -> list[int]:
        self.calls += 1
        self.names.add(name)
        await asyncio.sleep(0)
        taken = min(wanted, self.left) if needed <= self.left else 0
        self.left -= taken
        return [taken, self.left, 0 if taken else int(2 * needed * each_us), 10_000_000]


def limiter(bucket: Bucket, seconds: Seconds, per_minute: int = 2400) -> Limiter:
    """40 a second: a block is 10."""
    return Limiter(LimitSettings(key_per_minute=per_minute, address_per_minute=per_minute), bucket, seconds)


async def test_a_block_serves_many_requests() -> None:
    bucket = Bucket(1000)
    limits = limiter(bucket, Seconds())
    left = [(await limits.take("key", "a")).remaining for _ in range(10)]
    assert (bucket.calls, left) == (1, [*range(999, 989, -1)])
    assert (await limits.take("key", "a")).remaining == 989
    assert (bucket.calls, bucket.names) == (2, {"rate:key:a"})


async def test_many_at_once_ask_once_for_each_block() -> None:
    bucket = Bucket(1000)
    limits = limiter(bucket, Seconds())
    allowances = await asyncio.gather(*(limits.take("key", "a") for _ in range(50)))
    assert all(allowance.allowed for allowance in allowances)
    assert (bucket.calls, bucket.left) == (5, 950)


async def test_never_more_than_the_bucket_gives() -> None:
    bucket = Bucket(25)
    limits = limiter(bucket, Seconds())
    allowances = [await limits.take("key", "a") for _ in range(60)]
    assert sum(allowance.allowed for allowance in allowances) == 25
    refused = [allowance for allowance in allowances if not allowance.allowed]
    assert len(refused) == 35
    assert {allowance.retry_seconds for allowance in refused} == {1}
    assert bucket.calls == 4, "a refusal is known here until the next permit"


async def test_a_refusal_ends() -> None:
    bucket, seconds = Bucket(0), Seconds()
    limits = limiter(bucket, seconds)
    assert not (await limits.take("key", "a")).allowed
    bucket.left = 10
    assert not (await limits.take("key", "a")).allowed
    seconds.now += 0.06
    assert (await limits.take("key", "a")).allowed


async def test_what_was_not_used_in_time_is_lost() -> None:
    bucket, seconds = Bucket(1000), Seconds()
    limits = limiter(bucket, seconds)
    await limits.take("key", "a")
    seconds.now += 1.1
    await limits.take("key", "a")
    assert (bucket.calls, bucket.left) == (2, 980)


async def test_small_limits_are_exact() -> None:
    bucket = Bucket(2)
    limits = limiter(bucket, Seconds(), per_minute=12)
    assert [(await limits.take("address", "::1")).allowed for _ in range(4)] == [True, True, False, False]
    assert bucket.names == {"rate:address:::1"}


async def test_several_are_taken_at_once_or_none_of_them() -> None:
    bucket, seconds = Bucket(50), Seconds()
    limits = limiter(bucket, seconds)
    await limits.take("key", "a")
    assert bucket.left == 40
    allowed = await limits.take("key", "a", 30)
    assert (allowed.allowed, allowed.remaining, bucket.left, bucket.calls) == (True, 19, 19, 2)
    refused = [await limits.take("key", "a", 40) for _ in range(3)]
    assert [(one.retry_seconds, one.remaining) for one in refused] == [(2, 19)] * 3
    assert not any(one.allowed for one in refused)
    assert bucket.left == 19, "who is refused several has taken none"
    assert (await limits.take("key", "a")).allowed, "one may still pass"


async def test_what_is_here_counts_towards_the_several() -> None:
    bucket = Bucket(20)
    limits = limiter(bucket, Seconds())
    await limits.take("key", "a")
    assert not (await limits.take("key", "a", 20)).allowed
    assert (await limits.take("key", "a", 19)).allowed
    assert not (await limits.take("key", "a")).allowed


async def test_keys_and_addresses_have_buckets_of_their_own() -> None:
    bucket = Bucket(1000)
    limits = limiter(bucket, Seconds())
    await asyncio.gather(limits.take("key", "a"), limits.take("key", "b"), limits.take("address", "a"))
    assert bucket.names == {"rate:key:a", "rate:key:b", "rate:address:a"}


async def test_without_redis_all_pass_and_are_counted() -> None:
    async def away(*_: object) -> list[int]:
        raise RetryableError("away")

    before = RATE_UNCHECKED._value.get()
    limits = Limiter(LimitSettings(), away, Seconds())
    assert all([(await limits.take("key", "a")).allowed for _ in range(5)])
    assert RATE_UNCHECKED._value.get() == before + 5


@pytest.mark.parametrize("many", [10_050])
async def test_it_does_not_remember_everybody(many: int) -> None:
    limits = limiter(Bucket(10**9), Seconds())
    for number in range(many):
        await limits.take("address", str(number))
    assert len(limits._leases) == 10_000


async def test_who_asks_all_the_time_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.api.security.limiter._REMEMBERED", 2)
    bucket = Bucket(1000)
    limits = limiter(bucket, Seconds())
    for who in "abacada":
        await limits.take("address", who)
    assert bucket.calls == 4
