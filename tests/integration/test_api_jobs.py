"""Fresh predictions that take longer than somebody waits, against real servers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from riskee.messaging.messages import PredictJob
from riskee.messaging.subjects import PREDICT_NORMAL, PREDICTION_UPDATED
from riskee.settings import Settings
from riskee.storage.bus import Bus, codec_of
from riskee.storage.cache import Cache
from tests.integration.conftest import all_ok, eventually, serving
from tests.integration.made_predictions import made, put, sealed
from tests.integration.test_api import problem

pytestmark = pytest.mark.integration
FRESH = {"tickers": ["AAPL", "IBM"], "fresh": True, "wait_seconds": 0}


class Predicting:
    """Plays predict: answers AAPL at once, and the others once it is let."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.let = asyncio.Event()
        self.asked: list[str] = []
        self.answers: list[asyncio.Task[None]] = []

    async def on_job(self, message: Any) -> None:
        job: PredictJob = codec_of(PREDICT_NORMAL).decode(message.data).payload
        self.asked.append(job.ticker)
        self.answers.append(asyncio.create_task(self._answer(job)))

    async def _answer(self, job: PredictJob) -> None:
        if job.ticker != "AAPL":
            await self.let.wait()
        await self.bus.publish(PREDICTION_UPDATED, sealed(made(job.ticker, 123.0), job.job_id))


@pytest.fixture
async def predicting(bus: Bus) -> AsyncIterator[Predicting]:
    predicting = Predicting(bus)
    await bus.listen(PREDICT_NORMAL.name, predicting.on_job)
    await bus.client.flush()
    yield predicting
    for answer in predicting.answers:
        answer.cancel()


async def found(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    return dict((await client.get(path)).raise_for_status().json())


async def test_what_takes_longer_is_a_job_that_ends(client: httpx.AsyncClient, predicting: Predicting) -> None:
    response = await client.post("/v1/predict", json=FRESH | {"tickers": ["AAPL", "IBM", "NOSUCH"]})
    assert response.status_code == 202
    path, job = response.headers["location"], response.json()
    assert path == f"/v1/jobs/{job['job_id']}"
    assert response.headers["retry-after"] == "1"
    assert (job["status"], job["asked"], job["stored"]) == ("running", 3, True)

    async def has_aapl() -> bool:
        return [one["ticker"] for one in (await found(client, path))["predictions"]] == ["AAPL"]

    await eventually(has_aapl)
    assert (await client.get(path)).headers["retry-after"] == "1"
    predicting.let.set()

    async def done() -> bool:
        return bool((await found(client, path))["status"] == "done")

    await eventually(done)
    ended = await found(client, path)
    assert {one["ticker"]: one["price"] for one in ended["predictions"]} == {"AAPL": 123.0, "IBM": 123.0}
    assert [(one["ticker"], one["status"]) for one in ended["failures"]] == [("NOSUCH", "unknown_ticker")]
    assert "retry-after" not in (await client.get(path)).headers


def lasting(settings: Settings, seconds: float) -> Settings:
    """Settings of an API whose jobs take so long at most."""
    return settings.model_copy(update={"api": settings.api.model_copy(update={"job_seconds": seconds})})


async def test_a_job_outlives_the_api(
    beating: None, bus: Bus, cache: Cache, known: Settings, predicting: Predicting
) -> None:
    """What came before the restart is there, what predict computed meanwhile too; of the rest it says that it does not
    know, once nothing can come any more."""
    async with serving(lasting(known, 600.0)) as client:
        await eventually(lambda: all_ok(client))
        response = await client.post("/v1/predict", json=FRESH | {"tickers": ["AAPL", "IBM", "MSFT"]})
        path = response.headers["location"]
        await eventually(lambda: answered(client, path, 1))
    await put(cache, msgspec.structs.replace(made("IBM", 7.0), as_of=datetime.now(UTC)), made("MSFT", 8.0))
    async with serving(lasting(known, 600.0)) as client:
        running = await found(client, path)
        assert running["status"] == "running"
        assert {one["ticker"]: one["price"] for one in running["predictions"]} == {"AAPL": 123.0, "IBM": 7.0}
    async with serving(lasting(known, 0.1)) as client:
        ended = await found(client, path)
        assert ended["status"] == "done"
        assert [one["ticker"] for one in ended["predictions"]] == ["AAPL", "IBM"]
        assert [(one["ticker"], one["status"]) for one in ended["failures"]] == [("MSFT", "unknown")]


async def answered(client: httpx.AsyncClient, path: str, count: int) -> bool:
    return len((await found(client, path))["predictions"]) >= count


async def test_of_a_job_that_nobody_began_nothing_is_known(client: httpx.AsyncClient) -> None:
    problem(await client.get("/v1/jobs/00000000-0000-0000-0000-000000000000"), 404, "unknown_job")
    problem(await client.get("/v1/jobs/7"), 422, "bad_request")


async def test_a_job_without_the_cache_says_that_it_is_not_stored(
    beating: None, bus: Bus, known: Settings, predicting: Predicting, cache: Cache
) -> None:
    redis = known.redis.model_copy(update={"url": SecretStr("redis://127.0.0.1:9/0"), "timeout_seconds": 0.3})
    async with serving(known.model_copy(update={"redis": redis})) as client:

        async def heard() -> bool:
            return bool((await client.get("/health/ready")).json()["dependencies"]["nats"] == "ok")

        await eventually(heard)
        response = await client.post("/v1/predict", json=FRESH)
        assert response.status_code == 202
        assert response.json()["stored"] is False
        predicting.let.set()
        await eventually(lambda: answered(client, response.headers["location"], 2))
        problem(await client.get("/v1/jobs/00000000-0000-0000-0000-000000000000"), 503, "unavailable")
