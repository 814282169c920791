"""The last number of a ticker is flagged, never passed off as fresh: predict and the API together on real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from websockets.asyncio.client import ClientConnection, connect

from riskee.messaging.messages import MarketState
from riskee.messaging.subjects import QUOTE
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from serving.consumers import predict
from tests.integration.conftest import PATIENCE_SECONDS, consumer, eventually, serving
from tests.integration.live_data import TICKERS, Market, fill
from tests.integration.test_predict_service import waves
from tests.integration.test_silence import announce, impatient, wave

__all__ = ["impatient"]
pytestmark = pytest.mark.integration


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


async def stands(client: httpx.AsyncClient, status: str, *tickers: str) -> bool:
    """Whether REST says this status of these tickers, and flags their numbers with it."""
    answer = await client.post("/predict", json={"tickers": tickers or TICKERS})
    found = answer.json().get("predictions", [])
    flagged = status == "ok" or all(status in each["flags"] for each in found)
    # Of IBM and MSFT no reports are known; that is all that may be said against a number that is a current one.
    return flagged and {each["status"].replace("earnings_unknown", "ok") for each in found} == {status}


@asynccontextmanager
async def streamed(client: httpx.AsyncClient) -> AsyncIterator[ClientConnection]:
    async with connect(str(client.base_url).replace("http", "ws") + "/stream") as socket:
        await socket.send('{"type": "subscribe", "tickers": ["*"]}')
        yield socket


async def until(socket: ClientConnection, status: str) -> list[dict[str, Any]]:
    """All that comes until a status, that one last."""
    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not seen or (seen[-1]["type"], seen[-1].get("status")) != ("status", status):
            seen.append(json.loads(await socket.recv()))
    return seen


async def test_a_mute_feed_is_told_to_all_in_one_message_and_cleared(
    bus: Bus, cache: Cache, impatient: Settings, market: Market
) -> None:
    async with consumer("predict", impatient, predict.main), serving(impatient) as client, streamed(client) as socket:
        # No quote has come yet.
        await until(socket, "feed_mute")
        await bus.publish(QUOTE, *wave(market, 0))
        seen = [*await until(socket, "ok"), *await until(socket, "feed_mute")]
        assert {each["prediction"]["ticker"] for each in seen if each["type"] == "prediction"} == set(TICKERS)
        assert (seen[-1]["tickers"], seen[-1]["last_known"], seen[-1]["standing"]) == ([], True, True)
        assert seen[-1]["meaning"]
        assert seen[-1]["next_step"]
        assert await stands(client, "feed_mute"), "what REST says does not wait"
        answer = (await client.get("/predict/IBM")).json()
        assert answer["status_since"] == seen[-1]["since"]
        await bus.publish(QUOTE, *wave(market, 1)[:2])
        seen = await until(socket, "ok")
        spoke, silent = wave(market, 1)[1].payload.ticker, wave(market, 1)[2].payload.ticker
        await eventually(lambda: stands(client, "ok", spoke))
        assert await stands(client, "stale", silent), "its number is from before the silence"


async def test_an_api_that_starts_while_the_feed_is_mute_knows_it(
    bus: Bus, cache: Cache, impatient: Settings, market: Market
) -> None:
    async with consumer("predict", impatient, predict.main):
        await bus.publish(QUOTE, *wave(market, 0))
        async with serving(impatient) as client:
            await eventually(lambda: stands(client, "feed_mute"))
        async with serving(impatient) as client:
            assert not await stands(client, "ok"), "before it has heard anything"
            await eventually(lambda: stands(client, "feed_mute"))
            async with streamed(client) as socket:
                seen = await until(socket, "feed_mute")
            assert [each["type"] for each in seen] == ["subscribed", "status"], "a new client is told first"


async def test_a_predictor_that_dies_is_noticed_and_one_that_comes_back_too(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market
) -> None:
    async with serving(database_settings) as client, streamed(client) as socket:
        async with consumer("predict", database_settings, predict.main):
            await bus.publish(QUOTE, *wave(market, 0))
            await eventually(lambda: stands(client, "ok"))
            await until(socket, "ok")
        await until(socket, "predict_silent")
        assert await stands(client, "predict_silent")
        async with consumer("predict", database_settings, predict.main):
            await until(socket, "ok")
            assert await stands(client, "ok"), "the number is young enough, and none newer is missing"


async def test_halts_and_closes_reach_every_reader(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market
) -> None:
    session = market.sessions[-30]
    async with consumer("predict", database_settings, predict.main), serving(database_settings) as client:
        await announce(bus, MarketState.OPEN, session.opens_at)
        await bus.publish(QUOTE, *wave(market, 0))
        await eventually(lambda: stands(client, "ok"))
        async with streamed(client) as socket:
            await announce(bus, MarketState.HALTED, session.opens_at, "IBM")
            assert (await until(socket, "halted"))[-1]["tickers"] == ["IBM"]
            assert await stands(client, "halted", "IBM")
            assert await stands(client, "ok", "AAPL", "MSFT")
            await bus.publish(QUOTE, *wave(market, 1))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    update = json.loads(await socket.recv())
                    if update["type"] == "prediction" and not update["snapshot"]:
                        assert (update["status"] == "halted") is (update["prediction"]["ticker"] == "IBM")
                        assert ("halted" in update["prediction"]["flags"]) is (update["status"] == "halted")
                        if update["status"] == "halted":
                            break
            await announce(bus, MarketState.OPEN, session.opens_at, "IBM")
            await until(socket, "stale")
            assert await stands(client, "halted", "IBM"), "its number was made during the halt"
            await announce(bus, MarketState.CLOSED, session.closes_at)
            await until(socket, "session_closed")
            assert await stands(client, "session_closed", "AAPL", "MSFT")


async def test_a_quote_without_a_prediction_makes_the_last_number_an_old_one(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market
) -> None:
    async with consumer("predict", database_settings, predict.main), serving(database_settings) as client:
        await bus.publish(QUOTE, *wave(market, 0))
        await eventually(lambda: stands(client, "ok"))
        # A session with too little history before it: no volatility, no prediction.
        await bus.publish(QUOTE, *waves(market, 10, pass_number=2)[0])
        await eventually(lambda: cold(client))


async def cold(client: httpx.AsyncClient) -> bool:
    found = (await client.get("/predict/AAPL")).json()
    # `stale` once it is known that the new pass of the replay has begun.
    return bool(found["status"] in {"cold_window", "stale"} and "cold_window" in found["flags"])
