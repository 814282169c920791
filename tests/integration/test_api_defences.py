"""What the API withstands, as it really runs: bodies, heads, time, pages of other sites, too many requests."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from riskee.access.grants import Grant
from riskee.settings import GuardSettings, RedisSettings, Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.telemetry import RATE_UNCHECKED
from tests.integration.api_callers import bearer, guarded, key_for
from tests.integration.conftest import eventually, serving

pytestmark = pytest.mark.integration

LITTLE = GuardSettings(body_bytes=1024, head_bytes=1024)
HASTY = GuardSettings(body_seconds=0.6, head_seconds=0.6, request_seconds=0.6)


def changed(settings: Settings, **api: Any) -> Settings:
    return settings.model_copy(update={"api": settings.api.model_copy(update=api)})


@pytest.fixture
async def small(bus: Bus, cache: Cache, known: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An API with little room."""
    async with serving(changed(known, guard=LITTLE)) as client:
        yield client


@pytest.fixture
async def hasty(bus: Bus, cache: Cache, known: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An API with little patience."""
    async with serving(changed(known, guard=HASTY)) as client:
        yield client


def _tickers(count: int) -> bytes:
    return json.dumps({"tickers": ["AAPL"] * count}).encode()


async def _exchange(client: httpx.AsyncClient, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back on a connection that is sent these parts."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    answer = asyncio.create_task(reader.read())
    try:
        for part in parts:
            if answer.done():
                break
            writer.write(part)
            await asyncio.sleep(pause)
        return await asyncio.wait_for(answer, 60)
    finally:
        writer.close()


POST = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def test_a_long_body_is_refused_announced_or_not(small: httpx.AsyncClient) -> None:
    announced = await small.post("/v1/predict", content=_tickers(500))
    assert (announced.status_code, announced.json()["type"]) == (413, "urn:riskee:problem:body_too_long")
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    chunked = await _exchange(small, POST + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk)
    assert chunked.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in chunked
    enough = await small.post("/v1/predict", content=_tickers(50), headers={"Content-Type": "application/json"})
    assert enough.status_code == 503  # nothing is predicted yet


async def test_who_sends_slowly_is_not_waited_for(hasty: httpx.AsyncClient) -> None:
    body = await _exchange(hasty, POST + b"Content-Length: 100\r\n\r\n", b'{"tickers"')
    assert body.startswith(b"HTTP/1.1 408 ")
    assert b"slow_body" in body
    head = await _exchange(hasty, b"GET /health/live HTTP/1.1\r\nHost: loc")
    assert head.startswith(b"HTTP/1.1 408 ")
    drops = [b"GET /health/live HTTP/1.1\r\n", b"a: b\r\n", b"c: d\r\n", b"e: f\r\n", b"g: h\r\n"]
    assert (await _exchange(hasty, *drops, pause=0.2)).startswith(b"HTTP/1.1 408 ")
    assert (await _exchange(hasty)).startswith(b"HTTP/1.1 408 ")
    second = await _exchange(hasty, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /", pause=0.05)
    assert second.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in second


async def test_a_long_head_is_refused(small: httpx.AsyncClient) -> None:
    at_once = await small.get("/health/live", headers={"X-Long": "x" * 2000})
    assert at_once.status_code == 431
    lines = [b"GET /health/live HTTP/1.1\r\n", *[b"x-%d: " % number + b"y" * 200 + b"\r\n" for number in range(10)]]
    assert (await _exchange(small, *lines, pause=0.01)).startswith(b"HTTP/1.1 431 ")
    assert (await small.get("/health/live")).status_code == 200


async def test_an_answer_that_takes_too_long_is_given_up(
    hasty: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(*_: object, **__: object) -> None:
        await asyncio.sleep(120)

    monkeypatch.setattr("serving.api.routes.tickers.backend_of", lambda _request: Stuck())

    class Stuck:
        class directory:  # noqa: N801 (stands for the backend's)
            infos = stuck

    answer = await hasty.get("/v1/tickers")
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:riskee:problem:timeout")


async def test_names_pages_and_headers(bus: Bus, cache: Cache, known: Settings) -> None:
    async with serving(changed(known, allowed_origins=("https://app.example",))) as client:
        rebound = await client.get("/v1/tickers", headers={"Host": "evil.example"})
        assert (rebound.status_code, rebound.json()["type"]) == (421, "urn:riskee:problem:unknown_host")
        for origin, status in (("https://evil.example", 403), ("https://app.example", 503)):
            assert (
                await client.post("/v1/predict", headers={"Origin": origin}, json={"tickers": ["AAPL"]})
            ).status_code == status
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        for path in ("/", "/docs", "/explain/AAPL"):
            assert (await client.get(path, headers=followed | {"Sec-Fetch-Dest": "iframe"})).status_code == 403
        assert (await client.get("/docs", headers=followed)).status_code < 400
        assert (await client.get("/explain/AAPL", headers=followed)).status_code == 403
        allowed = await client.get("/v1/tickers", headers={"Origin": "https://app.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        shown = {name.strip() for name in allowed.headers["access-control-expose-headers"].split(",")}
        assert {"Location", "Link", "Idempotency-Status", "RateLimit-Reset"} <= shown
        asked = {
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,last-event-id",
        }
        for origin, status in (("https://evil.example", 400), ("https://app.example", 200)):
            assert (await client.options("/v1/tickers", headers={"Origin": origin, **asked})).status_code == status
        url = str(client.base_url).replace("http", "ws") + "/stream"
        for origin in ("https://evil.example", "null"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, origin=origin)  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403
        async with connect(url, origin="https://app.example"):  # type: ignore[arg-type]
            pass


async def test_whoever_comes_through_a_proxy_is_asked_who_they_are(bus: Bus, cache: Cache, known: Settings) -> None:
    async with serving(changed(known, trusted_proxies=("127.0.0.1",))) as client:
        secure = await client.get("/health/live", headers={"X-Forwarded-Proto": "https"})
        assert "max-age" in secure.headers["strict-transport-security"]
        assert (await client.get("/v1/tickers")).status_code == 401


async def test_without_settings_no_other_page_gets_anything(client: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://app.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "8.8.8.8"}
    answer = await client.get("/v1/tickers", headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert "strict-transport-security" not in answer.headers
    preflight = await client.options("/v1/tickers", headers={**headers, "Access-Control-Request-Method": "GET"})
    assert "access-control-allow-origin" not in preflight.headers
    for path, policy in (("/dashboard/", "script-src 'self';"), ("/v1/tickers", "default-src 'none'; frame-")):
        careful = (await client.get(path)).headers
        assert policy in careful["content-security-policy"]
        assert (careful["x-content-type-options"], careful["referrer-policy"]) == ("nosniff", "no-referrer")
    docs = await client.get("/docs")
    assert docs.headers.get_list("content-security-policy") == [docs.headers["content-security-policy"]]
    assert "'sha256-" in docs.headers["content-security-policy"]
    assert (await client.get("/health/ready")).json()["access"] == "open"
    wrong = await client.get("/v1/tickers", headers=bearer("nonsense"))
    assert wrong.status_code == 401, "who shows a credential wants it checked"


async def test_limits_of_a_key_hold_over_processes(bus: Bus, cache: Cache, known: Settings, engine: Engine) -> None:
    # 12 at once, then one in five seconds.
    settings = guarded(known, key_per_minute=12, burst_seconds=60)
    headers = bearer(key_for(engine))
    async with serving(settings) as one, serving(settings) as two:
        began, before = time.monotonic(), RATE_UNCHECKED._value.get()
        answers = await asyncio.gather(*(api.get("/v1/statuses", headers=headers) for api in [one, two] * 40))
        since = (time.monotonic() - began) / 5
        passed = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(passed) + len(refused) == 80
        # On a machine too busy for Redis to answer in time some pass uncounted, as they should.
        unchecked = RATE_UNCHECKED._value.get() - before
        assert 12 <= len(passed) <= 13 + since + unchecked
        for answer in refused:
            assert int(answer.headers["retry-after"]) >= 1
            assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == ("12", "0")
            assert answer.json()["type"] == "urn:riskee:problem:too_many_requests"
        assert min(int(answer.headers["ratelimit-remaining"]) for answer in passed) < 12
        assert {answer.headers["vary"].lower() for answer in passed} == {"authorization"}, "caches tell callers apart"
        other = bearer(key_for(engine))

        async def others_pass() -> bool:
            return (await one.get("/v1/statuses", headers=other)).status_code == 200

        await eventually(others_pass)


async def test_a_long_batch_counts_as_many_requests(bus: Bus, cache: Cache, known: Settings, engine: Engine) -> None:
    # 12 at once, then one in five seconds.
    headers = bearer(key_for(engine)) | {"Content-Type": "application/json"}
    async with serving(guarded(known, key_per_minute=12, burst_seconds=60)) as client:
        short = await client.post("/v1/predict", content=_tickers(9), headers=headers)
        long = await client.post("/v1/predict", content=_tickers(1000), headers=headers)
        assert (short.status_code, long.status_code) == (503, 503)  # nothing is predicted yet
        left = [int(answer.headers["ratelimit-remaining"]) for answer in (short, long)]
        assert left[0] - left[1] >= 6
        refused = await client.post("/v1/predict", content=_tickers(1000), headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:riskee:problem:too_many_requests")


async def test_guesses_are_limited_by_address_and_proxies_are_not_believed(
    bus: Bus, cache: Cache, known: Settings
) -> None:
    async with serving(guarded(known, address_per_minute=6, burst_seconds=60)) as client:
        codes = [
            (await client.get("/v1/statuses", headers={"X-Forwarded-For": f"10.0.0.{number}"})).status_code
            for number in range(30)
        ]
        assert {*codes[:6]} == {401}
        assert 429 in codes[6:]


async def test_a_trusted_proxy_says_for_whom_it_asks(bus: Bus, cache: Cache, known: Settings) -> None:
    settings = changed(guarded(known, address_per_minute=6, burst_seconds=60), trusted_proxies=("127.0.0.0/8",))
    async with serving(settings) as client:
        codes = [
            (await client.get("/v1/statuses", headers={"X-Forwarded-For": f"10.0.0.{number}"})).status_code
            for number in range(30)
        ]
        assert {*codes} == {401}


async def test_without_redis_requests_pass_and_are_counted(bus: Bus, known: Settings, engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = guarded(known, key_per_minute=1).model_copy(
        update={"redis": RedisSettings(url=SecretStr(f"redis://127.0.0.1:{port}/0"))}
    )
    headers = bearer(key_for(engine, [Grant.PREDICTIONS_READ, Grant.METRICS_READ]))
    async with serving(settings) as client:
        for _ in range(10):
            assert (await client.get("/v1/statuses", headers=headers)).status_code == 200
        metrics = (await client.get("/metrics", headers=headers)).text
    (line,) = [line for line in metrics.splitlines() if line.startswith("riskee_rate_unchecked_total")]
    assert float(line.split()[1]) >= 20


async def test_a_batch_of_more_than_the_limit_has_passes_where_nothing_was_asked_before(
    bus: Bus, cache: Cache, known: Settings, engine: Engine
) -> None:
    first, second = (bearer(key_for(engine)) | {"Content-Type": "application/json"} for _ in range(2))
    async with serving(guarded(known, key_per_minute=12, burst_seconds=60)) as client:
        longest = await client.post("/v1/predict", content=_tickers(5000), headers=first)
        assert longest.status_code == 503  # nothing is predicted yet
        refused = await client.get("/v1/statuses", headers=first)
        assert (refused.status_code, refused.headers["retry-after"]) in ((429, "4"), (429, "5"))
        await client.get("/v1/statuses", headers=second)
        early = await client.post("/v1/predict", content=_tickers(5000), headers=second)
        assert early.status_code == 429
        assert 5 <= int(early.headers["retry-after"]) <= 10, "until there are as many as it needs"
        assert (await client.get("/v1/statuses", headers=second)).status_code == 200, "it took none"
