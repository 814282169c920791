"""The API against real servers: REST, and what is left when a server is gone."""

import asyncio
import uuid
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from riskee.messaging.envelope import wrap
from riskee.messaging.explanations import Explanation
from riskee.messaging.messages import Prediction
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.entries import Entry
from riskee.storage.recording import EXPLANATIONS, PREDICTIONS, record
from serving.api.asking import Asker
from tests.integration.answering import Answering, answering, explanation
from tests.integration.conftest import TICKERS, all_ok, eventually, serving
from tests.integration.made_predictions import made, put, sealed

__all__ = ["answering"]
pytestmark = pytest.mark.integration


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document = dict(response.json())
    assert document["type"] == f"urn:riskee:problem:{kind}"
    assert document["status"] == status
    assert document["detail"]
    assert document["next_step"]
    return document


async def test_the_prediction_in_the_cache_is_the_answer(client: httpx.AsyncClient, cache: Cache) -> None:
    prediction = made()
    await put(cache, prediction)
    response = await client.get("/predict/aapl")
    assert response.status_code == 200
    answer = response.json()
    assert (answer.pop("status"), answer.pop("status_since"), answer.pop("session")) == ("ok", None, "closed")
    assert msgspec.convert(answer, Prediction) == prediction


async def test_the_head_of_a_prediction_is_had_without_its_body(client: httpx.AsyncClient, cache: Cache) -> None:
    await put(cache, made())
    whole, head = await client.get("/v1/predict/AAPL"), await client.head("/v1/predict/AAPL")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", whole.headers["etag"])
    assert head.headers["content-length"] == str(len(whole.content))
    unknown = await client.head("/v1/predict/APL")
    assert (unknown.status_code, unknown.content) == (404, b"")


async def test_an_old_prediction_is_flagged_stale(client: httpx.AsyncClient, cache: Cache) -> None:
    await put(cache, made(age=61))
    answer = (await client.get("/predict/AAPL")).json()
    assert answer["status"] == "stale"
    assert "stale" in answer["flags"]


async def test_an_unknown_ticker_names_its_neighbours(client: httpx.AsyncClient) -> None:
    document = problem(await client.get("/predict/APL"), 404, "unknown_ticker")
    assert document["near"][0] == "AAPL"
    assert "AAPL" in document["next_step"]
    problem(await client.get("/predict/SPX"), 404, "unknown_ticker")
    problem(await client.get("/explain/NOSUCH"), 404, "unknown_ticker")


async def test_a_ticker_without_a_prediction_yet_is_told_so(client: httpx.AsyncClient) -> None:
    problem(await client.get("/predict/IBM"), 503, "no_prediction")


async def test_what_is_not_understood_is_a_problem(client: httpx.AsyncClient) -> None:
    problem(await client.get("/nowhere"), 404, "not_found")
    problem(await client.delete("/tickers"), 405, "method_not_allowed")
    bodies: tuple[dict[str, object], ...] = (
        {},
        {"tickers": []},
        {"tickers": ["AAPL"], "surprise": 1},
        {"tickers": "AAPL"},
    )
    for body in bodies:
        document = problem(await client.post("/predict", json=body), 422, "bad_request")
        assert document["errors"]


async def test_the_database_answers_when_the_cache_is_gone(bus: Bus, known: Settings) -> None:
    engine = make_engine(known.database.url, 1)
    old, new = made(price=1.0, age=5), made(price=2.0)
    record(engine, PREDICTIONS, [sealed(old), sealed(new)])
    engine.dispose()
    redis = known.redis.model_copy(update={"url": SecretStr("redis://127.0.0.1:9/0"), "timeout_seconds": 0.3})
    async with serving(known.model_copy(update={"redis": redis})) as client:
        answer = (await client.get("/predict/AAPL")).raise_for_status().json()
        assert answer["prediction_id"] == str(new.prediction_id)
        assert {"replay", "stale"} <= set(answer["flags"])
        assert answer["status"] != "ok"
        health = await client.get("/health/ready")
        assert health.status_code == 200
        assert health.json()["status"] == "degraded"
        assert "cache does not answer" in health.json()["dependencies"]["redis"]


async def test_a_number_in_the_cache_that_another_version_wrote_is_none(
    client: httpx.AsyncClient, cache: Cache
) -> None:
    await put(cache, made())
    await cache._redis.hset("pred:AAPL", "body", b'{"written_by":"another version"}')
    problem(await client.get("/predict/AAPL"), 503, "no_prediction")


async def test_the_cache_answers_when_the_database_is_gone(
    beating: None, bus: Bus, cache: Cache, settings: Settings
) -> None:
    await put(cache, made())
    database = settings.database.model_copy(update={"url": SecretStr("postgresql://nobody@127.0.0.1:9/none")})
    async with serving(settings.model_copy(update={"database": database})) as client:
        await eventually(lambda: answers(client, "ok"))
        problem(await client.get("/tickers"), 503, "unavailable")
        assert (await client.get("/health/ready")).json()["status"] == "degraded"


async def answers(client: httpx.AsyncClient, status: str) -> bool:
    return bool((await client.get("/predict/AAPL")).json()["status"] == status)


async def test_without_the_bus_everything_but_questions_is_answered(cache: Cache, known: Settings) -> None:
    await put(cache, made())
    nats = known.nats.model_copy(update={"url": SecretStr("nats://127.0.0.1:9")})
    async with serving(known.model_copy(update={"nats": nats})) as client:
        assert (await client.get("/predict/AAPL")).status_code == 200
        problem(await client.post("/predict", json={"tickers": ["AAPL"], "fresh": True}), 503, "unavailable")
        problem(await client.post("/explain/AAPL"), 503, "unavailable")


async def test_a_batch_tells_of_every_ticker(client: httpx.AsyncClient, cache: Cache) -> None:
    await put(cache, made("AAPL"), made("IBM"))
    response = await client.post("/predict", json={"tickers": ["IBM", "AAPL", "NOSUCH", "MSFT"]})
    answer = response.raise_for_status().json()
    assert [each["ticker"] for each in answer["predictions"]] == ["IBM", "AAPL"]
    assert {each["ticker"]: each["status"] for each in answer["failures"]} == {
        "NOSUCH": "unknown_ticker",
        "MSFT": "no_prediction",
    }
    problem(await client.post("/predict", json={"tickers": ["NOSUCH"]}), 404, "unknown_ticker")


async def test_fresh_predictions_are_computed_on_request(client: httpx.AsyncClient, answering: Answering) -> None:
    response = await client.post("/predict", json={"tickers": ["AAPL", "MSFT"], "fresh": True})
    answer = response.raise_for_status().json()
    assert [(each["ticker"], each["price"]) for each in answer["predictions"]] == [("AAPL", 123.0)]
    assert [(each["ticker"], each["status"]) for each in answer["failures"]] == [("MSFT", "no_quote")]


async def test_a_fresh_prediction_that_does_not_come_is_a_timeout(bus: Bus, cache: Cache, known: Settings) -> None:
    api = known.api.model_copy(update={"job_seconds": 0.3, "explain_timeout_seconds": 0.3})
    await put(cache, made())
    async with serving(known.model_copy(update={"api": api})) as client:
        await eventually(lambda: all_ok(client))
        problem(await client.post("/predict", json={"tickers": ["IBM"], "fresh": True}), 504, "timeout")
        late = await client.get("/explain/AAPL")
        assert problem(late, 504, "timeout")["explanation"].startswith("/v1/explain/")
        assert late.headers["retry-after"]


async def test_several_who_ask_why_cause_one_explanation(
    client: httpx.AsyncClient, cache: Cache, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = made()
    await put(cache, prediction)
    waiting: list[Prediction] = []
    explain = Asker.explain

    async def noted(self: Asker, wanted: Prediction, timeout: float) -> Explanation:
        waiting.append(wanted)
        return await explain(self, wanted, timeout)

    monkeypatch.setattr(Asker, "explain", noted)
    answering.may_explain.clear()
    asked = asyncio.gather(*(client.post("/explain/AAPL") for _ in range(5)))
    await eventually(lambda: len(waiting) == 5)
    answering.may_explain.set()
    answers = await asked
    assert answering.explained == 1
    for response in answers:
        answer = response.raise_for_status().json()
        assert answer["text"]
        assert answer["cached"] is False
        assert answer["sources"][0]["title"]
        assert answer["prediction"]["prediction_id"] == answer["prediction_id"] == str(prediction.prediction_id)


async def test_a_known_explanation_is_not_asked_for_again(
    client: httpx.AsyncClient, cache: Cache, known: Settings, answering: Answering
) -> None:
    cached, stored = made("AAPL"), made("IBM")
    await put(cache, cached, stored)
    await cache.write(
        [
            Entry.of(
                keys.EXPLANATION,
                {"ticker": "AAPL", "ts": cached.prediction_time},
                {"body": msgspec.json.encode(explanation(cached))},
            )
        ]
    )
    engine = make_engine(known.database.url, 1)
    found = explanation(stored)
    at = found.created_at
    record(
        engine,
        EXPLANATIONS,
        [wrap(found, message_id=found.explanation_id, correlation_id=uuid.uuid4(), source="test", at=at)],
    )
    engine.dispose()
    for ticker in ("AAPL", "IBM"):
        answer = (await client.get(f"/explain/{ticker}")).raise_for_status().json()
        assert answer["cached"] is True
        assert answer["drivers"][0]["feature"] == "return_5d"
    assert answering.explained == 0


async def test_tickers_metrics_page_and_document(client: httpx.AsyncClient) -> None:
    assert [each["ticker"] for each in (await client.get("/tickers")).json()] == [*TICKERS, "SPX"]
    assert "riskee_http_requests_total" in (await client.get("/metrics")).text
    assert (await client.get("/")).headers["location"] == "/dashboard/"
    assert "<title>Riskee</title>" in (await client.get("/dashboard/")).text
    document = (await client.get("/openapi.json")).json()
    assert document["components"]["schemas"]["PredictionAnswer"]["properties"]["p_up"]["maximum"] == 1
    assert {"/v1/predict/{ticker}", "/v1/predict", "/v1/explain/{reference}", "/v1/tickers"} <= set(document["paths"])
