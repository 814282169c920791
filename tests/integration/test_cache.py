"""The cache against a real server: hashes, times to live, and a server that is gone."""

import msgspec
import pytest
from pydantic import SecretStr

from riskee.errors import RetryableError
from riskee.settings import RedisSettings
from riskee.storage import keys
from riskee.storage.cache import Cache, Entry

pytestmark = pytest.mark.integration
AAPL = {"ticker": "AAPL"}


async def test_a_wave_is_written_as_hashes_that_expire(cache: Cache) -> None:
    await cache.write(
        [
            Entry(keys.PREDICTION, AAPL, {"body": b'{"price":1}', "price": 1.5, "model_version": "normal-1"}),
            Entry(keys.FEATURES, AAPL, {"body": msgspec.json.encode({"rsi_14": float("nan")})}),
        ]
    )
    assert await cache.body(keys.PREDICTION, **AAPL) == b'{"price":1}'
    assert await cache._redis.hget("pred:AAPL", "price") == b"1.5"
    assert await cache.body(keys.FEATURES, **AAPL) == b'{"rsi_14":null}'
    assert 290 <= await cache._redis.ttl("pred:AAPL") <= 300
    assert 50 <= await cache._redis.ttl("features:AAPL") <= 60


async def test_bodies_keep_the_order_and_miss_as_none(cache: Cache) -> None:
    await cache.write([Entry(keys.QUOTE, {"ticker": ticker}, {"body": ticker}) for ticker in ("IBM", "AAPL")])
    wanted = [{"ticker": ticker} for ticker in ("AAPL", "NOPE", "IBM")]
    assert await cache.bodies(keys.QUOTE, wanted) == [b"AAPL", None, b"IBM"]


async def test_a_string_expires_too(cache: Cache) -> None:
    await cache.set_text(keys.CACHE_STATS, "{}", name="api")
    assert await cache._redis.get("stats:cache:api") == b"{}"
    assert await cache._redis.ttl("stats:cache:api") > 86_000


async def test_a_server_that_is_gone_is_retryable() -> None:
    gone = Cache.connect(RedisSettings(url=SecretStr("redis://127.0.0.1:9/0"), timeout_seconds=0.5))
    for call in (
        gone.ping(),
        gone.body(keys.QUOTE, **AAPL),
        gone.write([Entry(keys.QUOTE, AAPL, {"body": "x"})]),
        gone.set_text(keys.CACHE_STATS, "{}", name="api"),
    ):
        with pytest.raises(RetryableError, match="cache does not answer"):
            await call
    await gone.close()
