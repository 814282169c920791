"""The API against real servers: REST, WebSocket, and what is left when a server is gone."""

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import ExplainRequest, Explanation, Flag, Prediction, PredictionFailed, PredictJob
from riskee.messaging.subjects import EXPLAIN, EXPLAINED, PREDICT_NORMAL, PREDICTION_FAILED, PREDICTION_UPDATED
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.bus import Bus, codec_of
from riskee.storage.cache import Cache, Entry
from riskee.storage.database import make_engine
from riskee.storage.recording import EXPLANATIONS, PREDICTIONS, record
from riskee.storage.tickers import TickerInfo, write_tickers
from serving.api import stream
from serving.api.app import create_app
from tests.integration.conftest import eventually
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration
TICKERS = ("AAPL", "IBM", "MSFT")


def made(ticker: str = "AAPL", price: float = 100.0, age: float = 0.0) -> Prediction:
    return msgspec.structs.replace(
        samples.PREDICTION,
        prediction_id=uuid.uuid4(),
        ticker=ticker,
        price=price,
        prediction_time=datetime.now(UTC) - timedelta(seconds=age),
        flags=(Flag.REPLAY,),
    )


def sealed(prediction: Prediction, correlation: uuid.UUID | None = None) -> Envelope[Prediction]:
    identity = uuid.uuid4()
    return wrap(
        prediction, message_id=identity, correlation_id=correlation or identity, source="test", at=prediction.as_of
    )


async def put(cache: Cache, *predictions: Prediction) -> None:
    await cache.write(
        [
            Entry(keys.PREDICTION, {"ticker": prediction.ticker}, {"body": msgspec.json.encode(prediction)})
            for prediction in predictions
        ]
    )


@pytest.fixture
def known(database_settings: Settings) -> Settings:
    """Settings of a database that knows three tickers and the index."""
    engine = make_engine(database_settings.database.url, 1)
    with engine.begin() as connection:
        write_tickers(connection, [TickerInfo(name, f"{name} Inc.", is_index=False, source="made") for name in TICKERS])
        write_tickers(connection, [TickerInfo("SPX", "Index", is_index=True, source="made")])
    engine.dispose()
    return database_settings


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The API as it really runs, on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(settings), ws="websockets-sansio", ws_per_message_deflate=False, log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20) as client:
            yield client
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 20)


@pytest.fixture
async def client(bus: Bus, cache: Cache, known: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(known) as client:
        await eventually(lambda: _all_ok(client))
        yield client


async def _all_ok(client: httpx.AsyncClient) -> bool:
    return bool((await client.get("/health/ready")).json()["status"] == "ok")


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
    assert (answer.pop("status"), answer.pop("session")) == ("ok", "closed")
    assert msgspec.convert(answer, Prediction) == prediction


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
        assert answer["status"] == "stale"
        assert answer["flags"] == ["replay", "stale"]
        health = await client.get("/health/ready")
        assert health.status_code == 200
        assert health.json()["status"] == "degraded"
        assert "cache does not answer" in health.json()["dependencies"]["redis"]


async def test_the_cache_answers_when_the_database_is_gone(bus: Bus, cache: Cache, settings: Settings) -> None:
    await put(cache, made())
    database = settings.database.model_copy(update={"url": SecretStr("postgresql://nobody@127.0.0.1:9/none")})
    async with serving(settings.model_copy(update={"database": database})) as client:
        assert (await client.get("/predict/AAPL")).json()["status"] == "ok"
        problem(await client.get("/tickers"), 503, "unavailable")
        assert (await client.get("/health/ready")).json()["status"] == "degraded"


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


class Answering:
    """Plays the consumers: answers jobs and questions."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.explained = 0

    async def on_job(self, message: Any) -> None:
        job: PredictJob = codec_of(PREDICT_NORMAL).decode(message.data).payload
        if job.ticker == "MSFT":
            failed = PredictionFailed(
                ticker="MSFT", feed="", data_time=job.requested_at, status="no_quote", reason="no quote yet"
            )
            envelope = wrap(
                failed, message_id=uuid.uuid4(), correlation_id=job.job_id, source="test", at=job.requested_at
            )
            await self.bus.publish(PREDICTION_FAILED, envelope)
        if job.ticker == "AAPL":
            await self.bus.publish(PREDICTION_UPDATED, sealed(made("AAPL", 123.0), job.job_id))

    async def on_explain(self, message: Any) -> None:
        request: ExplainRequest = codec_of(EXPLAIN).decode(message.data).payload
        self.explained += 1
        await asyncio.sleep(0.2)
        answer = explanation(request.prediction)
        envelope = wrap(
            answer,
            message_id=answer.explanation_id,
            correlation_id=uuid.uuid4(),
            source="test",
            at=answer.created_at,
        )
        await self.bus.publish(EXPLAINED, envelope)


def explanation(prediction: Prediction) -> Explanation:
    payload: Explanation = samples.sample(EXPLAINED.name).payload
    return msgspec.structs.replace(
        payload, explanation_id=uuid.uuid4(), prediction_id=prediction.prediction_id, ticker=prediction.ticker
    )


@pytest.fixture
async def answering(bus: Bus) -> Answering:
    answering = Answering(bus)
    await bus.listen(PREDICT_NORMAL.name, answering.on_job)
    await bus.listen(EXPLAIN.name, answering.on_explain)
    await bus.client.flush()
    return answering


async def test_fresh_predictions_are_computed_on_request(client: httpx.AsyncClient, answering: Answering) -> None:
    response = await client.post("/predict", json={"tickers": ["AAPL", "MSFT"], "fresh": True})
    answer = response.raise_for_status().json()
    assert [(each["ticker"], each["price"]) for each in answer["predictions"]] == [("AAPL", 123.0)]
    assert [(each["ticker"], each["status"]) for each in answer["failures"]] == [("MSFT", "no_quote")]


async def test_a_fresh_prediction_that_does_not_come_is_a_timeout(bus: Bus, cache: Cache, known: Settings) -> None:
    api = known.api.model_copy(update={"fresh_timeout_seconds": 0.3, "explain_timeout_seconds": 0.3})
    await put(cache, made())
    async with serving(known.model_copy(update={"api": api})) as client:
        await eventually(lambda: _all_ok(client))
        problem(await client.post("/predict", json={"tickers": ["IBM"], "fresh": True}), 504, "timeout")
        problem(await client.get("/explain/AAPL"), 504, "timeout")


async def test_several_who_ask_why_cause_one_explanation(
    client: httpx.AsyncClient, cache: Cache, answering: Answering
) -> None:
    prediction = made()
    await put(cache, prediction)
    answers = await asyncio.gather(*(client.post("/explain/AAPL") for _ in range(5)))
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
            Entry(
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
    assert {"/predict/{ticker}", "/predict", "/explain/{ticker}", "/tickers"} <= set(document["paths"])


@asynccontextmanager
async def streaming(client: httpx.AsyncClient) -> AsyncIterator[ClientConnection]:
    async with connect(str(client.base_url).replace("http", "ws") + "/stream") as socket:
        yield socket


async def receive(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        message = json.loads(await socket.recv())
    assert message["type"] == kind, message
    return dict(message)


async def subscribe(socket: ClientConnection, *tickers: str) -> dict[str, Any]:
    await socket.send(json.dumps({"type": "subscribe", "tickers": tickers}))
    return await receive(socket, "subscribed")


async def test_a_subscriber_gets_a_snapshot_then_each_update(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    await put(cache, made("AAPL", 1.0))
    async with streaming(client) as socket:
        assert (await subscribe(socket, "AAPL", "IBM"))["tickers"] == ["AAPL", "IBM"]
        first = await receive(socket, "prediction")
        assert (first["snapshot"], first["prediction"]["price"]) == (True, 1.0)
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
        assert [first["sequence"], update["sequence"], last["sequence"]] == [2, 4, 5]


async def test_unsubscribing_ends_the_updates(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    async with streaming(client) as socket:
        await subscribe(socket, "AAPL", "IBM")
        await socket.send('{"type": "unsubscribe", "tickers": ["AAPL"]}')
        assert (await receive(socket, "subscribed"))["tickers"] == ["IBM"]
        await bus.publish(PREDICTION_UPDATED, sealed(made("AAPL")), sealed(made("IBM")))
        assert (await receive(socket, "prediction"))["prediction"]["ticker"] == "IBM"


async def test_a_star_subscribes_to_all(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    await put(cache, *(made(ticker) for ticker in TICKERS))
    async with streaming(client) as socket:
        await subscribe(socket, "*")
        snapshots = {(await receive(socket, "prediction"))["prediction"]["ticker"] for _ in TICKERS}
        assert snapshots == set(TICKERS)
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


async def test_a_quiet_connection_gets_heartbeats(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    async with streaming(client) as socket:
        assert (await receive(socket, "heartbeat"))["sequence"] == 1
        assert (await receive(socket, "heartbeat"))["sequence"] == 2


async def test_a_client_that_goes_leaves_nothing_behind(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    async with streaming(client) as socket:
        await subscribe(socket, "AAPL")
        assert "riskee_stream_connections 1.0" in (await client.get("/metrics")).text
    await eventually(lambda: _no_connections(client))


async def _no_connections(client: httpx.AsyncClient) -> bool:
    return "riskee_stream_connections 0.0" in (await client.get("/metrics")).text
