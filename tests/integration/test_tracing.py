"""Traces of the real services: one of a tick from ingest to the WebSocket, and none that anybody waits for."""

import asyncio
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from riskee.settings import Settings, TracingSettings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.telemetry import TRACE_SPANS
from riskee.tracing import Span, export
from riskee.tracing.hops import HOPS, PREDICT_WAVE
from serving.consumers import ingest, predict, record
from tests.integration.collector import Collector, Told, collecting, traced
from tests.integration.conftest import all_ok, consumer, eventually, serving
from tests.integration.live_data import Market, fill
from tests.integration.stream_clients import ask, streaming
from tests.integration.test_ingest import A_SESSION, count, replaying
from tests.unit.tracing.ticks import AT

pytestmark = pytest.mark.integration
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def ended(end: str) -> float:
    return float(TRACE_SPANS.labels(end)._value.get())


async def delivered(client: httpx.AsyncClient, settings: Settings) -> dict[str, Any]:
    """The first prediction that a WebSocket is told while a session is replayed."""
    async with streaming(client) as socket_:
        await ask(socket_, "*")
        async with consumer("ingest", replaying(settings, seconds=2), ingest.main), asyncio.timeout(60):
            async for text in socket_:
                message = json.loads(text)
                if message["type"] == "prediction" and not message["snapshot"]:
                    # What follows is recorded by the time that the services end.
                    return dict(message["prediction"])
    raise AssertionError("the stream ended")


def by_hop(spans: list[Told]) -> dict[tuple[str, str], Told]:
    """Of a tick's trace: each hop's span, told apart by the service and by what the span came from."""
    return {(told.span.name, told.parent): told for told in spans}


async def test_a_tick_has_one_trace_from_ingest_to_the_websocket(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(export, "_CLOSE_SECONDS", 60.0)
    settings = traced(database_settings, collector.url)
    async with (
        consumer("record", settings, record.main),
        consumer("predict", settings, predict.main) as running,
        serving(settings) as client,
    ):
        await eventually(lambda: running.health.ready)
        await eventually(lambda: all_ok(client))
        prediction = await delivered(client, settings)
        asked = await client.get("/v1/predictions/AAPL", headers={"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"})
        await eventually(lambda: recorded(client, prediction))
    quote = uuid.UUID(prediction["quote_id"])
    found = {told.span.span_id.hex(): told for told in collector.traces()[quote.hex]}
    assert sorted(told.span.name for told in found.values()) == sorted(hop.name for hop in HOPS)
    assert {told.service for told in found.values()} == {
        *("riskee-ingest", "riskee-predict", "riskee-record", "riskee-api")
    }
    for told in found.values():
        assert told.attributes["riskee.ticker"] == prediction["ticker"]
        assert told.span.start_time_unix_nano <= told.span.end_time_unix_nano
        if parent := found.get(told.parent):
            assert parent.span.start_time_unix_nano <= told.span.start_time_unix_nano
        else:
            assert (told.span.name, told.parent) == ("ingest.publish", ""), "one root, and no orphan"
            received = datetime.fromisoformat(prediction["prediction_time"])
            assert told.span.start_time_unix_nano == round(received.timestamp() * 1e6) * 1000
    lines = {line_of(told, found) for told in found.values()}
    assert {
        "ingest.publish > predict.wave > cache.write",
        "ingest.publish > predict.wave > event.publish > api.deliver",
        "ingest.publish > predict.wave > event.publish > record.batch",
        "ingest.publish > record.batch",
    } <= lines
    assert_linked(asked, collector)


def line_of(told: Told, found: dict[str, Told]) -> str:
    above = f"{line_of(found[told.parent], found)} > " if told.parent else ""
    return above + told.span.name


async def recorded(client: httpx.AsyncClient, prediction: dict[str, Any]) -> bool:
    answer = await client.get(f"/v1/predictions/{prediction['ticker']}")
    return prediction["prediction_id"] in answer.text


def assert_linked(asked: httpx.Response, collector: Collector) -> None:
    """The caller's trace is a link of the request's own, which is nobody's child."""
    (request,) = [
        told for told in collector.spans if told.attributes.get("riskee.request_id") == asked.headers["X-Request-ID"]
    ]
    assert request.span.name == "GET /v1/predictions/{ticker}"
    assert request.attributes["http.response.status_code"] == asked.status_code
    assert (request.parent, request.trace == CALLER[0]) == ("", False)
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in request.span.links] == [CALLER]


async def test_a_dead_collector_costs_traces_and_nothing_else(
    bus: Bus, database_settings: Settings, market: Market, closed_port: int
) -> None:
    lost = ended("lost")
    settings = traced(replaying(database_settings), f"http://127.0.0.1:{closed_port}/v1/traces")
    async with consumer("ingest", settings, ingest.main) as running:
        await eventually(lambda: count(bus, 3 * A_SESSION))
        assert running.health.ready
    await eventually(lambda: ended("lost") > lost)


def made(number: int) -> Span:
    trace = uuid.UUID(int=number + 1)
    return Span(trace, PREDICT_WAVE.span_id(trace), None, "predict.wave", PREDICT_WAVE.kind, AT, AT, {})


def test_what_a_deaf_collector_does_not_take_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """So nobody waits, and no memory grows."""
    monkeypatch.setattr(export, "_REQUEST_SECONDS", 600.0)
    monkeypatch.setattr(export, "_CLOSE_SECONDS", 0.1)
    dropped, sent = ended("dropped"), ended("sent")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/traces"
        out = export.Export(TracingSettings(enabled=True, endpoint=url), "test", "one")
        for number in range(export.MOST_WAITING + 100):
            out.put(made(number))
        assert ended("dropped") - dropped == 100
        out.close()
        assert any(thread.name == "traces-end" for thread in threading.enumerate()), "it is left to itself"
    assert ended("sent") == sent


def test_all_that_waits_is_sent_at_the_end_with_the_headers_that_are_asked_for(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_CLOSE_SECONDS", 60.0)
    sent = ended("sent")
    settings = TracingSettings(enabled=True, endpoint=collector.url, headers={"X-Key": SecretStr("k")})
    out = export.Export(settings, "test", "one")
    for number in range(1000):
        out.put(made(number))
    out.close()
    assert len({told.trace for told in collector.spans}) == 1000
    assert all(headers["x-key"] == "k" for headers in collector.headers)
    assert ended("sent") - sent == 1000
