"""Who gets in: each route, asked by each kind of caller, on the API as it really runs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from riskee.access.grants import ALL_GRANTS, Grant
from riskee.settings import Settings
from riskee.storage.api_keys import revoke_key
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from serving.api.security.scopes import ROUTES, WEBSOCKET, Rule
from tests.integration.api_callers import bearer, claims, guarded, key_for, token, unsigned
from tests.integration.conftest import eventually, serving

pytestmark = pytest.mark.integration

IN = "in"


def _callers(engine: Engine, grant: Grant | None) -> dict[str, tuple[str | None, int | str]]:
    """What each caller shows, and the status it gets of a route that asks for the grant."""
    enough, others = {grant} if grant else ALL_GRANTS, ALL_GRANTS - {grant}
    return {
        "none": (None, 401),
        "nonsense": ("nonsense", 401),
        "wrong key": (key_for(engine)[:-4] + "AAAA", 401),
        "unknown key": (f"rk_{'0' * 12}_{'A' * 43}", 401),
        "key of another pepper": (key_for(engine, pepper="another"), 401),
        "revoked key": (key_for(engine, revoked=True), 401),
        "expired key": (key_for(engine, ended=timedelta(seconds=1)), 401),
        "key of other scopes": (key_for(engine, others), 403 if grant else IN),
        "right key": (key_for(engine, enough), IN),
        "alg=none": (unsigned(claims()), 401),
        "wrong signature": (token(claims(), key="y" * 40), 401),
        "another algorithm": (token(claims(), algorithm="HS512"), 401),
        "unknown kid": (token(claims(), kid="another"), 401),
        "no kid": (token(claims(), kid=None), 401),
        "wrong aud": (token(claims(aud="another")), 401),
        "wrong iss": (token(claims(iss="another")), 401),
        "no exp": (token(claims(exp=None)), 401),
        "expired token": (token(claims(exp=1_600_000_000)), 401),
        "token of other scopes": (token(claims(others)), 403 if grant else IN),
        "right token": (token(claims(enough)), IN),
    }


@pytest.fixture
async def api(bus: Bus, cache: Cache, known: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(guarded(known)) as client:
        yield client


def _path(rule: Rule) -> str:
    samples = {"{ticker}": "AAPL", "{reference}": "AAPL", "{version}": "none", "{path:path}": "index.html"}
    path = rule.path.replace("{document_id}", "0c5f4a3e-6f0e-5f3a-9b0e-2f4d1c7e8a90")
    path = path.replace("{job_id}", "0c5f4a3e-6f0e-5f3a-9b0e-2f4d1c7e8a90")
    for template, sample in samples.items():
        path = path.replace(template, sample)
    return path


async def _known_to(api: httpx.AsyncClient, credential: str) -> None:
    """Wait until the API has read the keys up to this one."""

    async def known() -> bool:
        return (await api.get("/v1/tickers", headers=bearer(credential))).status_code != 401

    await eventually(known)


async def test_every_http_route_with_every_caller(api: httpx.AsyncClient, engine: Engine) -> None:
    rules = [rule for rule in ROUTES if rule.method != WEBSOCKET and rule.path != "/v1/stream/events"]
    callers = {rule: _callers(engine, rule.grant) for rule in rules}
    await _known_to(api, key_for(engine))
    for rule in rules:
        body: dict[str, Any] = {"json": {"tickers": ["AAPL"]}} if rule.method == "POST" else {}
        for name, (credential, expected) in callers[rule].items():
            if rule.grant is None and name not in {"none", "wrong key", "right key"}:
                continue
            headers = bearer(credential) if credential else {}
            answer = await api.request(rule.method, _path(rule), headers=headers, **body)
            case = (rule.method, rule.path, name, answer.status_code)
            if expected == IN or rule.grant is None:
                assert answer.status_code not in {401, 403}, case
            else:
                assert answer.status_code == expected, case
                problem = answer.json()
                assert (problem["status"], problem["next_step"] != "") == (expected, True), case
                assert ("www-authenticate" in answer.headers) == (expected == 401), case


async def test_the_stream(api: httpx.AsyncClient, engine: Engine) -> None:
    url = str(api.base_url).replace("http", "ws") + "/v1/stream"
    callers = _callers(engine, Grant.STREAM_READ)
    await _known_to(api, key_for(engine))
    for name, (credential, expected) in callers.items():
        shown: list[dict[str, Any]] = [{}]
        if credential:
            shown = [
                {"additional_headers": bearer(credential)},
                {"subprotocols": ["riskee.v1", f"riskee.bearer.{credential}"]},
            ]
        for how in shown:
            if expected == IN:
                async with connect(url, **how) as socket:
                    assert socket.subprotocol == ("riskee.v1" if "subprotocols" in how else None), name
                    await socket.send('{"type": "subscribe", "tickers": ["AAPL"]}')
                    assert json.loads(await socket.recv())["type"] in {"subscribed", "hello", "status"}
                continue
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, **how)
            assert refused.value.response.status_code == expected, name
            assert json.loads(refused.value.response.body or b"")["status"] == expected


async def test_events_ask_for_the_same_scope(api: httpx.AsyncClient, engine: Engine) -> None:
    callers = _callers(engine, Grant.STREAM_READ)
    await _known_to(api, key_for(engine))
    for name, (credential, expected) in callers.items():
        headers = bearer(credential) if credential else {}
        async with api.stream("GET", "/v1/stream/events", params={"tickers": "AAPL"}, headers=headers) as answer:
            assert answer.status_code == (200 if expected == IN else expected), name


async def test_a_route_without_a_row_and_a_path_without_a_route(
    api: httpx.AsyncClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(key_for(engine))
    await _known_to(api, key_for(engine))
    assert (await api.get("/v1/nothing", headers=headers)).status_code == 404
    assert (await api.get("/v1/nothing")).status_code == 401
    assert (await api.delete("/v1/tickers", headers=headers)).status_code == 405
    monkeypatch.setattr("serving.api.security.gate.rule_of", lambda _method, _path: None)
    assert (await api.get("/v1/tickers", headers=headers)).status_code == 403


async def test_what_a_body_asks_for_needs_its_scope(api: httpx.AsyncClient, engine: Engine) -> None:
    headers = bearer(key_for(engine, [Grant.PREDICTIONS_READ, Grant.EXPLANATIONS_READ]))
    await _known_to(api, key_for(engine))
    fresh = await api.post("/v1/predict", json={"tickers": ["AAPL"], "fresh": True}, headers=headers)
    assert (fresh.status_code, "predictions:compute" in fresh.json()["detail"]) == (403, True)


@pytest.mark.parametrize("end", ["revoked", "expired", "expired token"])
async def test_a_credential_ends_for_requests_and_for_streams_that_go_on(
    end: str, api: httpx.AsyncClient, engine: Engine
) -> None:
    credential = key_for(engine, ended=timedelta(seconds=-6) if end == "expired" else None)
    if end == "expired token":
        credential = token(claims(exp=int(time.time()) + 6))
    headers = bearer(credential)
    url = str(api.base_url).replace("http", "ws") + "/v1/stream"
    await _known_to(api, credential)
    async with connect(url, additional_headers=headers) as socket:
        await socket.send('{"type": "subscribe", "tickers": ["AAPL"]}')
        if end == "revoked":
            with engine.begin() as connection:
                revoke_key(connection, credential.split("_")[1], datetime.now(UTC))
        with pytest.raises(ConnectionClosedError) as closed:
            await _read_on(socket)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "the credential has ended")

    async def refused() -> bool:
        return (await api.get("/v1/tickers", headers=headers)).status_code == 401

    await eventually(refused)


async def test_events_end_with_their_key(api: httpx.AsyncClient, engine: Engine) -> None:
    credential = key_for(engine)
    await _known_to(api, credential)
    events = api.stream("GET", "/v1/stream/events?tickers=AAPL", headers=bearer(credential))
    async with asyncio.timeout(60), events as answer:
        with engine.begin() as connection:
            revoke_key(connection, credential.split("_")[1], datetime.now(UTC))
        assert answer.status_code == 200
        async for _ in answer.aiter_raw():
            pass


async def _read_on(socket: ClientConnection) -> None:
    async with asyncio.timeout(60):
        while True:
            await socket.recv()


async def test_a_new_key_is_good_within_moments(api: httpx.AsyncClient, engine: Engine) -> None:
    await _known_to(api, key_for(engine))
