"""A client that comes back gets what it missed, once; over a WebSocket as by server-sent events."""

import uuid

import httpx
import msgspec
import pytest

from riskee.messaging.envelope import Envelope, PayloadT, wrap
from riskee.messaging.explanations import ExplainProgress, Explanation
from riskee.messaging.subjects import EXPLAINED, EXPLAINING, PREDICTION_UPDATED
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from tests.integration.made_predictions import made, put, sealed
from tests.integration.stream_clients import ask, listening, streaming, until
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration


def numbers(messages: list[dict[str, object]]) -> list[tuple[str, float]]:
    found = [message["prediction"] for message in messages if message["type"] == "prediction"]
    return [(each["ticker"], each["price"]) for each in found if isinstance(each, dict)]


async def test_what_was_missed_comes_once_and_nothing_else(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    await put(cache, made("AAPL", 1.0), made("IBM", 1.0))
    async with streaming(client) as socket:
        await ask(socket, "AAPL", "IBM")
        begun = await until(socket, "complete")
        assert (begun[0]["type"], begun[0]["resumed"]) == ("subscribed", False)
        await bus.publish(PREDICTION_UPDATED, sealed(made("AAPL", 2.0)))
        last = (await until(socket, "prediction"))[-1]["sequence"]
    missed = [made("IBM", 3.0), made("MSFT", 4.0), made("AAPL", 5.0), made("IBM", 6.0)]
    async with streaming(client) as witness:
        await ask(witness, "*")
        await until(witness, "complete")
        for prediction in missed:
            await bus.publish(PREDICTION_UPDATED, sealed(prediction))
            await until(witness, "prediction")
    async with streaming(client) as socket:
        await ask(socket, "AAPL", "IBM", resume={"epoch": begun[0]["epoch"], "sequence": last})
        seen = await until(socket, "complete")
        assert (seen[0]["type"], seen[0]["resumed"], seen[0]["sequence"]) == ("subscribed", True, last)
        assert numbers(seen) == [("AAPL", 5.0), ("IBM", 6.0)], "the newest of each"
        sequences = [each["sequence"] for each in seen]
        assert sequences == sorted(sequences)
        assert sequences[1] > last
    async with streaming(client) as socket:
        await ask(socket, "AAPL", "IBM", resume={"epoch": begun[0]["epoch"], "sequence": sequences[-1]})
        assert [each["type"] for each in await until(socket, "complete")] == ["subscribed", "complete"]


@pytest.mark.parametrize("resume", [{"epoch": "another", "sequence": 0}, {"epoch": "", "sequence": 10**9}])
async def test_what_cannot_be_resumed_begins_anew(
    client: httpx.AsyncClient, cache: Cache, resume: dict[str, object]
) -> None:
    await put(cache, made("AAPL", 1.0))
    async with streaming(client) as socket:
        await ask(socket, "AAPL", resume=resume)
        seen = await until(socket, "complete")
        assert [each["type"] for each in seen] == ["subscribed", "status", "prediction", "complete"]
        assert (seen[0]["resumed"], seen[2]["snapshot"]) == (False, True)
        await ask(socket, "IBM", resume=resume)
        problem = (await until(socket, "error"))[-1]["problem"]
        assert "first request" in problem["detail"]


async def test_events_tell_the_same_and_resume_by_their_id(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    await put(cache, made("AAPL", 1.0))
    async with listening(client, "aapl,IBM") as events:
        assert events.answer.headers["content-type"].startswith("text/event-stream")
        begun = await events.until("complete")
        assert [each.name for each in begun] == ["subscribed", "status", "prediction", "complete"]
        assert [each.id is None for each in begun] == [True, True, True, False], "to go on from a part would lose some"
        await bus.publish(PREDICTION_UPDATED, sealed(made("AAPL", 2.0)))
        (update,) = await events.until("prediction")
        assert (update.data["prediction"]["price"], update.data["type"]) == (2.0, "prediction")
    async with streaming(client) as witness:
        await ask(witness, "IBM")
        await until(witness, "complete")
        await bus.publish(PREDICTION_UPDATED, sealed(made("IBM", 3.0)))
        await until(witness, "prediction")
    async with listening(client, "AAPL,IBM", update.id or "") as events:
        seen = await events.until("complete")
        assert seen[0].data["resumed"]
        assert numbers([each.data for each in seen]) == [("IBM", 3.0)]
        assert all(each.id for each in seen)
    async with listening(client, "AAPL", "another:5") as events:
        assert not (await events.until("complete"))[0].data["resumed"]


@pytest.mark.parametrize(
    ("query", "last", "status", "kind"),
    [
        ({"tickers": "APL"}, "", 404, "unknown_ticker"),
        ({"tickers": "AAPL"}, "nonsense", 422, "bad_request"),
        ({}, "", 422, "bad_request"),
    ],
)
async def test_events_that_cannot_be_had_are_a_problem(
    client: httpx.AsyncClient, query: dict[str, str], last: str, status: int, kind: str
) -> None:
    answer = await client.get("/stream/events", params=query, headers={"Last-Event-ID": last} if last else {})
    assert answer.status_code == status
    assert answer.json()["type"].endswith(kind)


async def test_explanations_come_as_they_are_written(client: httpx.AsyncClient, bus: Bus) -> None:
    explanation = samples.PAYLOADS[EXPLAINED.name]
    assert isinstance(explanation, Explanation)
    progress = ExplainProgress(prediction_id=explanation.prediction_id, ticker="AAPL", stage="writing", tokens=7)
    async with streaming(client) as socket, listening(client, "*") as events:
        await ask(socket, "AAPL")
        await until(socket, "complete")
        await events.until("complete")
        for sentence in ("One.", "Two.", "Three."):
            await bus.tell(EXPLAINING, _sealed(msgspec.structs.replace(progress, sentence=sentence)))
        await bus.tell(EXPLAINING, _sealed(msgspec.structs.replace(progress, ticker="IBM", stage="done")))
        await bus.publish(EXPLAINED, _sealed(explanation))
        for seen in (await until(socket, "explained"), [each.data for each in await events.until("explained")]):
            own = [each["progress"] for each in seen[:-1] if each["progress"]["ticker"] == "AAPL"]
            assert [each["sentence"] for each in own] == ["One.", "Two.", "Three."]
            assert seen[-1]["explanation"]["text"] == explanation.text
        last = seen[-1]["sequence"]
        epoch = await _epoch(client)
    async with streaming(client) as socket:
        await ask(socket, "AAPL", resume={"epoch": epoch, "sequence": last - 1})
        assert [each["type"] for each in await until(socket, "complete")] == ["subscribed", "explained", "complete"]


async def _epoch(client: httpx.AsyncClient) -> str:
    async with streaming(client) as socket:
        await ask(socket, "IBM")
        return str((await until(socket, "subscribed"))[-1]["epoch"])


def _sealed(payload: PayloadT) -> Envelope[PayloadT]:
    identity = uuid.uuid4()
    return wrap(payload, message_id=identity, correlation_id=identity, source="test", at=samples.PREDICTION.as_of)
