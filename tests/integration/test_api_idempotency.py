"""POSTs with an Idempotency-Key, against real servers."""

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.keys import Key
from riskee.storage.recording import PREDICTIONS, record
from serving.api import idempotency
from tests.integration.answering import Answering, answering
from tests.integration.conftest import serving
from tests.integration.made_predictions import made, put, sealed
from tests.integration.test_api import problem
from tests.integration.test_api_jobs import FRESH, Predicting, predicting

__all__ = ["answering", "predicting"]
pytestmark = pytest.mark.integration
KEY = {"Idempotency-Key": "one-1"}


async def test_the_same_request_is_answered_as_before(client: httpx.AsyncClient, predicting: Predicting) -> None:
    first = await client.post("/v1/predict", json=FRESH, headers=KEY)
    again = await client.post("/predict", json=FRESH, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert (first.headers["idempotency-status"], again.headers["idempotency-status"]) == ("kept", "replayed")
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert sorted(predicting.asked) == ["AAPL", "IBM"]
    other = await client.post("/v1/predict", json=FRESH, headers={"Idempotency-Key": "one-2"})
    assert other.headers["location"] != first.headers["location"]


async def test_another_request_with_the_same_key_is_refused(client: httpx.AsyncClient, predicting: Predicting) -> None:
    (await client.post("/v1/predict", json=FRESH, headers=KEY)).raise_for_status()
    response = await client.post("/v1/predict", json={"tickers": ["IBM"]}, headers=KEY)
    problem(response, 422, "idempotency_key_reused")


async def test_what_only_reads_takes_no_room_in_the_cache(client: httpx.AsyncClient, cache: Cache) -> None:
    await put(cache, made())
    for price in (1.0, 2.0):
        await put(cache, made(price=price))
        response = await client.post("/v1/predict", json={"tickers": ["AAPL"]}, headers=KEY)
        assert response.json()["predictions"][0]["price"] == price
        assert response.headers["idempotency-status"] == "not kept"
    assert await cache._redis.keys("idempotency:*") == []


async def test_a_long_answer_takes_no_room_in_the_cache(
    client: httpx.AsyncClient, cache: Cache, predicting: Predicting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_KEPT_BYTES", 100)
    response = await client.post("/v1/predict", json=FRESH, headers=KEY)
    assert response.headers["idempotency-status"] == "too large to be kept"
    assert await cache._redis.keys("idempotency:*") == []


async def test_a_key_that_another_version_wrote_is_left_alone(
    client: httpx.AsyncClient, cache: Cache, predicting: Predicting
) -> None:
    await client.post("/v1/predict", json=FRESH, headers=KEY)
    (name,) = await cache._redis.keys("idempotency:*")
    await cache._redis.set(name, b'{"request":"of another version"}')
    response = await client.post("/v1/predict", json=FRESH, headers=KEY)
    assert response.headers["idempotency-status"] == "unavailable"
    assert await cache._redis.get(name) == b'{"request":"of another version"}'


async def test_a_request_that_is_worked_on_is_not_begun_again(
    client: httpx.AsyncClient, cache: Cache, answering: Answering
) -> None:
    await put(cache, made())
    answering.may_explain.clear()
    first = asyncio.create_task(client.post("/v1/explain/AAPL", headers=KEY))
    while not answering.explained:
        await asyncio.sleep(0.01)
    response = await client.post("/v1/explain/AAPL", headers=KEY)
    problem(response, 409, "in_progress")
    assert response.headers["retry-after"] == "1"
    answering.may_explain.set()
    (await first).raise_for_status()
    again = await client.post("/v1/explain/AAPL", headers=KEY)
    assert again.json() == first.result().json()
    assert answering.explained == 1


async def test_what_failed_may_be_sent_again(client: httpx.AsyncClient, cache: Cache) -> None:
    problem(await client.post("/v1/predict", json={"tickers": ["IBM"]}, headers=KEY), 503, "no_prediction")
    await put(cache, made("IBM"))
    (await client.post("/v1/predict", json={"tickers": ["IBM"]}, headers=KEY)).raise_for_status()


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "ä"])
async def test_a_key_that_is_none_is_refused(client: httpx.AsyncClient, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    problem(await client.post("/v1/predict", json={"tickers": ["IBM"]}, headers=headers), 422, "bad_request")


async def test_without_the_cache_the_request_is_done_and_says_so(bus: Bus, known: Settings) -> None:
    redis = known.redis.model_copy(update={"url": SecretStr("redis://127.0.0.1:9/0"), "timeout_seconds": 0.3})
    async with serving(known.model_copy(update={"redis": redis})) as client:
        engine = make_engine(known.database.url, 1)
        record(engine, PREDICTIONS, [sealed(made())])
        engine.dispose()
        response = await client.post("/v1/predict", json={"tickers": ["AAPL"]}, headers=KEY)
        assert response.raise_for_status().headers["idempotency-status"] == "unavailable"


async def test_a_key_is_held_for_longer_than_any_request_may_take(
    bus: Bus, cache: Cache, known: Settings, predicting: Predicting, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    claim = Cache.claim

    async def noted(self: Cache, key: Key, text: bytes, seconds: int, **parts: str) -> bool:
        held.append(seconds)
        return await claim(self, key, text, seconds, **parts)

    monkeypatch.setattr(Cache, "claim", noted)
    patient = known.api.model_copy(update={"explain_timeout_seconds": 600.0})
    async with serving(known.model_copy(update={"api": patient})) as client:
        await client.post("/v1/predict", json=FRESH, headers=KEY)
    assert held
    assert min(held) > 600
