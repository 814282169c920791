"""The cache against a real server: hashes, times to live, and a server that is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from pydantic import SecretStr

from riskee.breaker import Breaker
from riskee.errors import RetryableError
from riskee.messaging.messages import Quote
from riskee.settings import RedisSettings, Settings
from riskee.storage import keys
from riskee.storage.cache import Cache, decoded
from riskee.storage.entries import Entry, Place
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration
AAPL = {"ticker": "AAPL"}


async def test_a_wave_is_written_as_hashes_that_expire(cache: Cache) -> None:
    await cache.write(
        [
            Entry.of(keys.PREDICTION, AAPL, {"body": b'{"price":1}', "price": 1.5, "model_version": "normal-1"}),
            Entry.of(keys.FEATURES, AAPL, {"body": msgspec.json.encode({"rsi_14": float("nan")})}),
        ]
    )
    assert await cache.body(keys.PREDICTION, **AAPL) == b'{"price":1}'
    assert await cache._redis.hget("pred:AAPL", "price") == b"1.5"
    assert await cache.body(keys.FEATURES, **AAPL) == b'{"rsi_14":null}'
    assert 290 <= await cache._redis.ttl("pred:AAPL") <= 300
    assert 50 <= await cache._redis.ttl("features:AAPL") <= 60


async def test_a_later_one_of_the_feed_is_not_written_over(cache: Cache) -> None:
    """A process that stood still goes on with what it had, after another has gone further."""
    now = datetime(2026, 1, 5, 15, tzinfo=UTC)

    async def written(feed: str, seconds: float, sequence: int) -> bytes | None:
        place = Place.of(feed, now + timedelta(seconds=seconds), sequence)
        body = f"{feed} {seconds} {sequence}"
        await cache.write([Entry.of(keys.PREDICTION, AAPL, {"body": body}, place)])
        return await cache.body(keys.PREDICTION, **AAPL)

    await cache.write([Entry.of(keys.PREDICTION, AAPL, {"body": "of another version", "feed": "live"})])
    await cache.write([Entry.of(keys.PREDICTION, AAPL, {"body": "without a feed", "place": "2026"})])
    assert await written("live", 0, 9) == b"live 0 9"
    assert await written("live", -0.000001, 10) == b"live 0 9"
    assert await written("live", 0, 8) == b"live 0 9"
    assert await written("live", 0, 9) == b"live 0 9"
    assert await written("live", 0, 10) == b"live 0 10"
    assert await written("live", 0.000001, 0) == b"live 1e-06 0"
    assert await written("replay/1", -1e9, 0) == b"replay/1 -1000000000.0 0", "another feed has times of its own"
    assert await written("replay/1 again", -2e9, 0) == b"replay/1 again -2000000000.0 0", "though it is called alike"
    assert await written("replay/1", -1.5e9, 0) == b"replay/1 -1500000000.0 0", "though it is called alike"


async def test_what_is_written_together_is_overtaken_together(cache: Cache) -> None:
    """The place of the first hash counts for all of an entry, and for no other entry."""
    now = datetime(2026, 1, 5, 15, tzinfo=UTC)

    def entry(tickers: tuple[str, ...], minutes: int) -> Entry:
        place = Place.of("live", now + timedelta(minutes=minutes), 0)
        each = [Entry.of(keys.PREDICTION, {"ticker": ticker}, {"body": f"{minutes}"}, place) for ticker in tickers]
        return Entry(place, tuple(found for one in each for found in one.hashes))

    await cache.write([entry(("AAPL", "IBM"), 1), entry(("MSFT",), 1)])
    await cache.write([entry(("IBM",), 3)])
    await cache.write([entry(("AAPL", "IBM"), 0), entry(("IBM", "AAPL"), 2), entry(("MSFT",), 2)])
    wanted = [{"ticker": ticker} for ticker in ("AAPL", "IBM", "MSFT")]
    assert await cache.bodies(keys.PREDICTION, wanted) == [b"1", b"3", b"2"]


async def test_bodies_keep_the_order_and_miss_as_none(cache: Cache) -> None:
    await cache.write([Entry.of(keys.QUOTE, {"ticker": ticker}, {"body": ticker}) for ticker in ("IBM", "AAPL")])
    wanted = [{"ticker": ticker} for ticker in ("AAPL", "NOPE", "IBM")]
    assert await cache.bodies(keys.QUOTE, wanted) == [b"AAPL", None, b"IBM"]


@pytest.mark.parametrize("body", [None, b"", b"junk", b'{"ticker":"AAPL"}', b"[]"])
def test_what_another_version_wrote_is_a_miss(body: bytes | None) -> None:
    assert decoded(body, Quote) is None
    assert decoded(msgspec.json.encode(samples.QUOTE), Quote) == samples.QUOTE


async def test_a_string_expires_too(cache: Cache) -> None:
    await cache.set_text(keys.CACHE_STATS, "{}", name="api")
    assert await cache._redis.get("stats:cache:api") == b"{}"
    assert await cache._redis.ttl("stats:cache:api") > 86_000


async def test_a_server_that_is_gone_is_retryable() -> None:
    calls: tuple[Callable[[Cache], Awaitable[object]], ...] = (
        Cache.ping,
        lambda gone: gone.body(keys.QUOTE, **AAPL),
        lambda gone: gone.write([Entry.of(keys.QUOTE, AAPL, {"body": "x"})]),
        lambda gone: gone.set_text(keys.CACHE_STATS, "{}", name="api"),
    )
    for call in calls:
        gone = Cache.connect(RedisSettings(url=SecretStr("redis://127.0.0.1:9/0"), timeout_seconds=0.5))
        with pytest.raises(RetryableError, match="cache does not answer"):
            await call(gone)
        await gone.close()


async def test_what_the_server_refuses_to_one_costs_the_others_nothing(cache: Cache) -> None:
    await cache._redis.set("pred:AAPL", "no hash")
    with pytest.raises(RetryableError, match=r"refuses this: .*WRONGTYPE"):
        await cache.body(keys.PREDICTION, **AAPL)
    assert not cache.away
    await cache.write([Entry.of(keys.QUOTE, AAPL, {"body": "x"})])
    assert await cache.body(keys.QUOTE, **AAPL) == b"x"


async def test_a_server_that_hangs_costs_one_timeout_and_is_found_again(settings: Settings, cache: Cache) -> None:
    """One that accepts and never answers: the first write waits, the next do not, and a later one finds it well."""
    address = settings.redis.url.get_secret_value()
    port = int(address.rsplit(":", 1)[1].split("/")[0])
    hanging = True
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if hanging:
            await reader.read()
        else:
            behind = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pipe(reader, behind[1]), _pipe(behind[0], writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxied = address.replace(f":{port}/", f":{server.sockets[0].getsockname()[1]}/")
    slow, seconds = Cache.connect(RedisSettings(url=SecretStr(proxied), timeout_seconds=0.3)), [0.0]
    slow._breaker = Breaker(lambda: seconds[0], limit=1, rest_seconds=3.0)
    entry = Entry.of(keys.QUOTE, AAPL, {"body": "x"})
    for _ in range(20):
        with pytest.raises(RetryableError):
            await slow.write([entry])
    assert asked == 1
    seconds[0], hanging = 3.0, False
    # A slow machine may take longer to answer than is waited for above.
    slow._redis.connection_pool.connection_kwargs["socket_timeout"] = 10.0
    await slow.write([entry])
    assert await cache.body(keys.QUOTE, **AAPL) == b"x"
    await slow.close()
    server.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
