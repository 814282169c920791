"""The stream of predictions over a WebSocket, against real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.settings import Settings, StreamSettings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from tests.integration.conftest import PATIENCE_SECONDS, TICKERS, eventually, serving
from tests.integration.made_predictions import made, put, sealed

pytestmark = pytest.mark.integration


@asynccontextmanager
async def streaming(client: httpx.AsyncClient) -> AsyncIterator[ClientConnection]:
    async with connect(str(client.base_url).replace("http", "ws") + "/stream") as socket:
        yield socket


async def receive(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        message = json.loads(await socket.recv())
    assert message["type"] == kind, message
    return dict(message)


async def subscribe(socket: ClientConnection, *tickers: str) -> dict[str, Any]:
    await socket.send(json.dumps({"type": "subscribe", "tickers": tickers}))
    confirmed = await receive(socket, "subscribed")
    assert (await receive(socket, "status"))["status"] == "ok"
    return confirmed


async def test_a_subscriber_gets_a_snapshot_then_each_update(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    await put(cache, made("AAPL", 1.0))
    async with streaming(client) as socket:
        assert (await subscribe(socket, "AAPL", "IBM"))["tickers"] == ["AAPL", "IBM"]
        first = await receive(socket, "prediction")
        assert (first["snapshot"], first["prediction"]["price"]) == (True, 1.0)
        await receive(socket, "complete")
        for price in (2.0, 3.0):
            await bus.publish(PREDICTION_UPDATED, sealed(made("MSFT", 9.0)), sealed(made("AAPL", price)))
            update = await receive(socket, "prediction")
            assert (update["snapshot"], update["prediction"]["ticker"], update["prediction"]["price"]) == (
                False,
                "AAPL",
                price,
            )
        await bus.publish(PREDICTION_UPDATED, sealed(made("IBM", 4.0)))
        last = await receive(socket, "prediction")
        assert last["prediction"]["ticker"] == "IBM"
        # Those of MSFT are counted too.
        assert [each["sequence"] - first["sequence"] for each in (update, last)] == [4, 5]


async def test_no_snapshot_is_older_than_what_was_told_already(
    client: httpx.AsyncClient, cache: Cache, bus: Bus
) -> None:
    """The cache may be behind the bus, and an update of the ticker may come while it is read."""
    old, new = made("AAPL", 1.0, age=1), made("AAPL", 2.0)
    await put(cache, old)
    async with streaming(client) as first:
        await subscribe(first, "AAPL")
        await bus.publish(PREDICTION_UPDATED, sealed(msgspec.structs.replace(new, data_time=new.prediction_time)))
        seen: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not seen or seen[-1]["type"] == "complete" or seen[-1]["prediction"]["price"] != 2.0:
                seen.append(json.loads(await first.recv()))
        assert [each["type"] for each in seen].count("prediction") <= 2
        async with streaming(client) as second:
            await subscribe(second, "AAPL")
            snapshot = await receive(second, "prediction")
            assert (snapshot["snapshot"], snapshot["prediction"]["price"]) == (True, 2.0)


async def test_unsubscribing_ends_the_updates(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    async with streaming(client) as socket:
        await subscribe(socket, "AAPL", "IBM")
        await socket.send('{"type": "unsubscribe", "tickers": ["AAPL"]}')
        await receive(socket, "complete")
        assert (await receive(socket, "subscribed"))["tickers"] == ["IBM"]
        await receive(socket, "complete")
        await bus.publish(PREDICTION_UPDATED, sealed(made("AAPL")), sealed(made("IBM")))
        assert (await receive(socket, "prediction"))["prediction"]["ticker"] == "IBM"


async def test_a_star_subscribes_to_all(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    await put(cache, *(made(ticker) for ticker in TICKERS))
    async with streaming(client) as socket:
        await subscribe(socket, "*")
        snapshots = {(await receive(socket, "prediction"))["prediction"]["ticker"] for _ in TICKERS}
        assert snapshots == set(TICKERS)
        await receive(socket, "complete")
        await bus.publish(PREDICTION_UPDATED, sealed(made("MSFT", 5.0)))
        assert (await receive(socket, "prediction"))["prediction"]["price"] == 5.0


async def test_a_bad_message_is_answered_and_the_connection_goes_on(client: httpx.AsyncClient, bus: Bus) -> None:
    async with streaming(client) as socket:
        for text, kind in (
            ("nonsense", "bad_request"),
            (b"\x00\x01", "bad_request"),
            ('{"type": "explode", "tickers": []}', "bad_request"),
            ('{"type": "subscribe", "tickers": ["APL"]}', "unknown_ticker"),
        ):
            await socket.send(text)
            problem_document = (await receive(socket, "error"))["problem"]
            assert problem_document["type"].endswith(kind)
            assert problem_document["next_step"]
        assert (await subscribe(socket, "AAPL"))["tickers"] == ["AAPL"]


async def test_a_quiet_connection_gets_heartbeats(bus: Bus, cache: Cache, known: Settings) -> None:
    often = known.model_copy(update={"stream": StreamSettings(heartbeat_seconds=0.1)})
    async with serving(often) as client, streaming(client) as socket:
        await receive(socket, "heartbeat")
        await receive(socket, "heartbeat")


async def test_a_client_that_goes_leaves_nothing_behind(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    async with streaming(client) as socket:
        await subscribe(socket, "AAPL")
        await eventually(lambda: connected(client, 1))
    await eventually(lambda: connected(client, 0))


async def connected(client: httpx.AsyncClient, count: int) -> bool:
    return f"riskee_stream_connections {count}.0" in (await client.get("/metrics")).text
