"""What the API serves while a server is killed, or hangs."""

import asyncio
import os
import signal
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import perf_counter

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from infra.embedded.binaries import valkey_server
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.recording import PREDICTIONS, record
from tests.faults.proxy import Proxy
from tests.integration.answering import Answering, answering
from tests.integration.conftest import all_ok, eventually, heard, serving
from tests.integration.made_predictions import made, put, sealed
from tests.integration.test_api import problem

__all__ = ["answering"]
pytestmark = pytest.mark.integration
# Long enough to tell who waited for it.
TIMEOUT = 2.0


@pytest.fixture(autouse=True)
def patient() -> None:
    """Nothing: here the product's own patience with a database that hangs is seen."""


class Valkey:
    """A cache server for one test."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = self.start()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"redis://127.0.0.1:{self.port}/0")

    def start(self) -> "subprocess.Popen[bytes]":
        words = [
            str(valkey_server()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--daemonize",
            "no",
        ]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        return self.process

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def end(self) -> None:
        self.signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    valkey = Valkey()
    yield valkey
    valkey.end()


@pytest.fixture
def stored(known: Settings, valkey: Valkey) -> Settings:
    """Settings of a database that has a prediction of AAPL, and of the cache of this test."""
    engine = make_engine(known.database.url, 1)
    record(engine, PREDICTIONS, [sealed(made(price=1.0))])
    engine.dispose()
    redis = known.redis.model_copy(update={"url": valkey.url, "timeout_seconds": TIMEOUT})
    return known.model_copy(update={"redis": redis})


async def price(client: httpx.AsyncClient) -> tuple[float, str]:
    answer = (await client.get("/v1/predict/AAPL")).raise_for_status().json()
    return answer["price"], answer["status"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_cache_that_dies_costs_no_request_its_timeout(
    beating: None, bus: Bus, stored: Settings, valkey: Valkey, end: int
) -> None:
    """Whoever asks at that moment waits once; after that the database answers at once, until the cache is back."""
    cache = Cache.connect(stored.redis)
    async with serving(stored) as client:
        await eventually(lambda: all_ok(client))
        await heard(client)
        await put(cache, made(price=2.0))
        assert await price(client) == (2.0, "ok")
        valkey.signal(end)
        seconds = []
        for _ in range(45):
            began = perf_counter()
            assert await price(client) == (1.0, "stale")
            seconds.append(perf_counter() - began)
            await asyncio.sleep(TIMEOUT / 20)
        assert sum(one >= 0.9 * TIMEOUT for one in seconds) <= 1
        assert (await client.get("/health/ready")).json()["status"] == "degraded"
        batch = (await client.post("/v1/predict", json={"tickers": ["AAPL"]})).raise_for_status().json()
        assert batch["predictions"][0]["price"] == 1.0
        if end == signal.SIGKILL:
            valkey.process.wait()
            valkey.start()
        else:
            valkey.signal(signal.SIGCONT)
        await eventually(lambda: all_ok(client))
        await put(cache, made(price=3.0))
        await eventually(lambda: shows(client, 3.0))
    await cache.close()


async def shows(client: httpx.AsyncClient, wanted: float) -> bool:
    return (await price(client))[0] == wanted


@asynccontextmanager
async def proxied(known: Settings) -> AsyncIterator[tuple[Proxy, httpx.AsyncClient]]:
    """The API, which knows its tickers, and the proxy by which it reaches the database."""
    url = make_url(known.database.url.get_secret_value())
    assert url.port
    proxy = Proxy(url.port, seed=1)
    away = url.set(port=await proxy.start()).render_as_string(hide_password=False)
    database = known.database.model_copy(update={"url": SecretStr(away)})
    async with serving(known.model_copy(update={"database": database})) as client:
        try:
            await eventually(lambda: all_ok(client))
            await heard(client)
            (await client.get("/v1/tickers")).raise_for_status()
            yield proxy, client
        finally:
            # Before the API ends: it waits for what hangs.
            await proxy.stop()


async def test_the_cache_serves_while_the_database_is_cut_off(
    beating: None, bus: Bus, cache: Cache, known: Settings
) -> None:
    await put(cache, made(price=2.0))
    async with proxied(known) as (proxy, client):
        await proxy.stop()
        assert await price(client) == (2.0, "ok")
        batch = (await client.post("/v1/predict", json={"tickers": ["AAPL", "IBM", "NOSUCH"]})).json()
        assert [one["price"] for one in batch["predictions"]] == [2.0]
        failures = {one["ticker"]: one["status"] for one in batch["failures"]}
        assert failures == {"NOSUCH": "unknown_ticker", "IBM": "no_prediction"}
        assert len((await client.get("/v1/tickers")).raise_for_status().json()) == 4
        for path in ("/v1/predictions/AAPL", "/v1/models", "/v1/track-record", "/v1/features/AAPL"):
            response = await client.get(path)
            assert "127.0.0.1" not in problem(response, 503, "unavailable")["detail"]
            assert response.headers["retry-after"]
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_database_that_hangs_spoils_nothing_that_the_cache_knows(
    beating: None, bus: Bus, cache: Cache, known: Settings
) -> None:
    await put(cache, made(price=2.0))
    async with proxied(known) as (proxy, client):
        proxy.stall()
        for _ in range(3):
            batch = (await client.post("/v1/predict", json={"tickers": ["AAPL", "IBM"]})).raise_for_status().json()
            assert [one["price"] for one in batch["predictions"]] == [2.0]
            assert [one["ticker"] for one in batch["failures"]] == ["IBM"]
        problem(await client.get("/v1/predict/IBM"), 503, "unavailable")
        proxy.flow()
        await eventually(lambda: unpredicted(client, "IBM"))


async def test_a_fresh_prediction_needs_no_database(
    beating: None, cache: Cache, known: Settings, answering: Answering
) -> None:
    """Which model predicted a ticker last is asked, but not needed."""
    async with proxied(known) as (proxy, client):
        body = {"tickers": ["AAPL"], "fresh": True, "wait_seconds": 10}
        proxy.stall()
        hanging = (await client.post("/v1/predict", json=body)).raise_for_status().json()
        await proxy.stop()
        gone = (await client.post("/v1/predict", json=body)).raise_for_status().json()
        assert [one["ticker"] for one in hanging["predictions"] + gone["predictions"]] == ["AAPL", "AAPL"]


async def test_a_database_that_hangs_holds_up_no_explanation(
    beating: None, cache: Cache, known: Settings, answering: Answering
) -> None:
    """Whether there is one already is asked, but not waited for; what only the database has is said to be away."""
    await put(cache, made(price=2.0))
    async with proxied(known) as (proxy, client):
        proxy.stall()
        answer = (await client.get("/v1/explain/AAPL")).raise_for_status().json()
        assert (answer["prediction"]["price"], answering.explained) == (2.0, 1)
        for path in ("/v1/predictions/AAPL", f"/v1/explain/{uuid.uuid4()}"):
            problem(await client.get(path), 503, "unavailable")
        proxy.flow()
        await eventually(lambda: answers(client, "/v1/predictions/AAPL"))


async def answers(client: httpx.AsyncClient, path: str) -> bool:
    return (await client.get(path)).status_code == 200


async def unpredicted(client: httpx.AsyncClient, ticker: str) -> bool:
    return bool((await client.get(f"/v1/predict/{ticker}")).json()["type"].endswith("no_prediction"))


async def test_without_both_it_says_so(bus: Bus, known: Settings, valkey: Valkey) -> None:
    redis = known.redis.model_copy(update={"url": valkey.url, "timeout_seconds": TIMEOUT})
    database = known.database.model_copy(update={"url": SecretStr("postgresql://nobody@127.0.0.1:9/none")})
    valkey.signal(signal.SIGKILL)
    async with serving(known.model_copy(update={"redis": redis, "database": database})) as client:
        problem(await client.get("/v1/predict/AAPL"), 503, "unavailable")
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/v1/statuses")).status_code == 200
