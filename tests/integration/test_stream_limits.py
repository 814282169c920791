"""No client costs the others or the server more than its share, and each is told why it is closed."""

import asyncio
import select
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from sqlalchemy import Engine
from websockets.exceptions import ConnectionClosed, InvalidStatus

from riskee.access.grants import Grant
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.settings import Settings, StreamSettings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from tests.integration.api_callers import bearer, guarded, key_for
from tests.integration.conftest import all_ok, eventually, serving
from tests.integration.made_predictions import made, sealed
from tests.integration.stream_clients import ask, listening, never_reading, streaming, until

pytestmark = pytest.mark.integration

STRICT = StreamSettings(
    slow_after_seconds=0.4,
    heartbeat_seconds=0.2,
    connections=3,
    connections_per_address=2,
    tickers_per_connection=2,
    frame_bytes=1024,
    buffer_bytes=4096,
)


@pytest.fixture
async def strict(beating: None, bus: Bus, cache: Cache, known: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(known.model_copy(update={"stream": STRICT})) as client:
        await eventually(lambda: all_ok(client))
        yield client


@pytest.mark.parametrize("events", [False, True])
async def test_who_never_reads_is_ended_and_holds_up_nobody(
    strict: httpx.AsyncClient, bus: Bus, *, events: bool
) -> None:
    async with never_reading(strict, "AAPL", events=events) as deaf, streaming(strict) as client:
        await ask(client, "AAPL")
        await until(client, "complete")
        before = await ended(strict)
        for price in range(1, 200):
            await bus.publish(PREDICTION_UPDATED, sealed(made("AAPL", float(price))))
            assert (await until(client, "prediction"))[-1]["prediction"]["price"] == price
            if price > 50 and await ended(strict) > before:
                break
        await eventually(lambda: counted(strict, "riskee_stream_connections 1.0"))
        assert await ended(strict) == before + 1
        # Cut off, though it took nothing of what was sent last.
        await eventually(lambda: reset(deaf))


async def ended(client: httpx.AsyncClient) -> float:
    """How many slow clients were ended so far."""
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith('riskee_stream_ended_total{reason="slow"}'))


def reset(deaf: socket.socket) -> bool:
    """Whether the connection is gone, without a byte of it being read."""
    poll = select.poll()
    poll.register(deaf, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


async def counted(client: httpx.AsyncClient, line: str) -> bool:
    return line in (await client.get("/metrics")).text


async def test_there_are_enough_connections(strict: httpx.AsyncClient) -> None:
    async with streaming(strict), streaming(strict):
        with pytest.raises(InvalidStatus) as refused:
            async with streaming(strict):
                pass
        assert refused.value.response.status_code == 429
        assert b"too_many_connections" in (refused.value.response.body or b"")
        answer = await strict.get("/stream/events", params={"tickers": "AAPL"})
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (429, "too_many_connections")
    await eventually(lambda: counted(strict, "riskee_stream_connections 0.0"))
    async with streaming(strict) as client:
        await ask(client, "AAPL")
        await until(client, "complete")


async def test_one_network_of_ipv6_is_one_address(bus: Bus, cache: Cache, known: Settings, engine: Engine) -> None:
    settings, key = guarded(known.model_copy(update={"stream": STRICT})), bearer(key_for(engine))
    api = settings.api.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    async with serving(settings.model_copy(update={"api": api})) as client, AsyncExitStack() as stack:
        for number in range(2):
            there = {"X-Forwarded-For": f"2001:db8:1:2::{number}"}
            await stack.enter_async_context(streaming(client, **key, **there))
        with pytest.raises(InvalidStatus, match="429"):
            async with streaming(client, **key, **{"X-Forwarded-For": "2001:db8:1:2::9"}):
                pass


async def test_requests_on_a_connection_are_limited_as_all_others(
    bus: Bus, cache: Cache, known: Settings, engine: Engine
) -> None:
    """A minute's limit that comes at once: nothing of it comes back while the test runs."""
    key = bearer(key_for(engine, [Grant.STREAM_READ]))
    async with serving(guarded(known, key_per_minute=45, burst_seconds=60)) as client:
        async with streaming(client, **key) as socket:
            await ask(socket, "*")
            await until(socket, "complete")
            await ask(socket, "*")
            problem = (await until(socket, "error"))[-1]["problem"]
            assert (problem["status"], problem["type"]) == (429, "urn:riskee:problem:too_many_requests")
            assert "ask again in" in problem["next_step"]
        answer = await client.get("/stream/events", params={"tickers": "*"}, headers=key)
        assert (answer.status_code, "retry-after" in answer.headers) == (429, True)


async def test_a_connection_has_so_many_tickers(strict: httpx.AsyncClient) -> None:
    async with streaming(strict) as client:
        await ask(client, "AAPL", "IBM")
        await until(client, "complete")
        await ask(client, "MSFT")
        assert (await until(client, "error"))[-1]["problem"]["type"].endswith("too_many_tickers")
        await ask(client, "AAPL")
        await until(client, "complete")


async def test_a_frame_that_is_too_large_ends_the_connection(strict: httpx.AsyncClient) -> None:
    async with streaming(strict) as client:
        await client.send("x" * 2000)
        with pytest.raises(ConnectionClosed) as closed:
            await until(client, "never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_events_beat_by_comments(strict: httpx.AsyncClient) -> None:
    async with listening(strict, "AAPL") as events, asyncio.timeout(60):
        async for block in events.blocks():
            if block == [": heartbeat"]:
                return


async def test_an_api_that_ends_says_so_to_all(bus: Bus, cache: Cache, known: Settings) -> None:
    async with asyncio.timeout(120), AsyncExitStack() as stack:
        async with serving(known) as client:
            other = await stack.enter_async_context(streaming(client))
            # With a connection of its own, which outlives the block that the other client ends with.
            own = await stack.enter_async_context(httpx.AsyncClient(base_url=client.base_url))
            events = await stack.enter_async_context(listening(own, "*"))
            await events.until("complete")
        last = [block async for block in events.blocks()][-1]
        assert (last[0].startswith(": 1012 "), "resume" in last[0]) == (True, True)
        with pytest.raises(ConnectionClosed) as closed:
            await until(other, "never")
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, "resume" in closed.value.rcvd.reason) == (1012, True)
