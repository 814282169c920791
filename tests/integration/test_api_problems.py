"""Errors of every kind are problems that tell nothing of the inside; what is a caller's is not another's."""

import asyncio

import httpx
import pytest

from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.telemetry import HTTP_REQUESTS
from serving.api.routes import predictions, statuses
from serving.api.security.origin import Origins
from tests.integration.answering import Answering, answering
from tests.integration.api_callers import bearer, guarded, key_for
from tests.integration.conftest import all_ok, eventually, serving
from tests.integration.made_predictions import made, put
from tests.integration.test_api import problem
from tests.integration.test_api_jobs import FRESH, Predicting, predicting

__all__ = ["answering", "predicting"]
pytestmark = pytest.mark.integration


async def test_a_defect_is_told_without_what_is_inside(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("postgresql://user:hidden@db")

    monkeypatch.setattr(statuses, "status_answers", broken)
    counter = HTTP_REQUESTS.labels("/v1/statuses", 500)
    before = counter._value.get()
    response = await client.get("/v1/statuses", headers={"X-Request-ID": "of-a-defect"})
    assert counter._value.get() == before + 1
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    document = problem(response, 500, "internal")
    assert "hidden" not in response.text
    assert "Traceback" not in response.text
    assert document["request_id"] == "of-a-defect"
    assert response.headers.get_list("x-request-id") == ["of-a-defect"]
    assert "of-a-defect" in "".join(capsys.readouterr())


async def test_a_defect_of_what_changes_something_is_audited(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_request: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(predictions, "changes_nothing", broken)
    problem(await client.post("/v1/predict", json={"tickers": ["AAPL"]}), 500, "internal")
    said = "".join(capsys.readouterr()).splitlines()
    # Not those of the traceback, which are in the log too where no test before has changed how it is written.
    (line,) = [line for line in said if "audit" in line and "outcome" in line]
    assert "failed" in line
    assert "500" in line


async def test_a_defect_in_the_judgement_of_a_request_is_answered_too(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Origins, "refusal", broken)
    response = await client.get("/v1/statuses")
    problem(response, 500, "internal")
    assert response.headers["x-content-type-options"] == "nosniff"


ERRORS = (
    ("GET", "/v1/predict/", 404, "not_found"),
    ("GET", "/v1/tickers/", 404, "not_found"),
    ("GET", "/v1/nowhere", 404, "not_found"),
    ("GET", "/dashboard/nowhere", 404, "not_found"),
    ("GET", "/v2/predict/AAPL", 404, "not_found"),
    ("DELETE", "/v1/tickers", 405, "method_not_allowed"),
    ("HEAD", "/v1/statuses", 405, "method_not_allowed"),
    ("GET", "/v1/predictions/AAPL?from=soon", 422, "bad_request"),
    ("GET", "/v1/explain/a%20b", 422, "bad_request"),
    ("GET", "/v1/models/a%00b", 422, "bad_request"),
    ("GET", "/v1/predict/%F0%9F%92%A5", 404, "unknown_ticker"),
)


async def test_an_error_is_a_problem(client: httpx.AsyncClient) -> None:
    for method, path, status, kind in ERRORS:
        response = await client.request(method, path)
        assert response.status_code == status, path
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        assert (status == 405) is ("allow" in response.headers)
        if method != "HEAD":
            document = problem(response, status, kind)
            assert document["request_id"] == response.headers["x-request-id"]


BODIES = (
    (b"", 422),
    (b"{", 422),
    (b'{"tickers": ["\xff"]}', 400),
    (b'{"tickers": ["\\ud800"]}', 422),
    (b'{"tickers": ["AAPL"], "fresh": true, "wait_seconds": NaN}', 422),
    (b'{"tickers": ["AAPL"], "wait_seconds": false}', 422),
    (b'{"tickers": [' + b",".join([b'"A A"'] * 5000) + b"]}", 422),
    (b'{"tickers": [' + b",".join([b'"AAPL"'] * 5001) + b"]}", 422),
)


async def test_a_body_that_is_none_is_a_problem(client: httpx.AsyncClient) -> None:
    for body, status in BODIES:
        response = await client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
        problem(response, status, "bad_request")
        assert len(response.content) < 3000, body[:40]


async def test_any_moment_may_be_asked_for(client: httpx.AsyncClient) -> None:
    for query in (
        {"from": "0001-01-01T00:00:00+23:59"},
        {"to": "9999-12-31T23:59:59.999999-23:59"},
        {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T00:00:00Z"},
    ):
        assert (await client.get("/v1/predictions/AAPL", params=query)).status_code == 200
    swapped = {"from": "9999-12-31T00:00:00Z", "to": "0001-01-01T00:00:00Z"}
    problem(await client.get("/v1/predictions/AAPL", params=swapped), 422, "bad_request")


async def test_jobs_and_keys_are_their_callers_own(
    beating: None, bus: Bus, cache: Cache, known: Settings, predicting: Predicting
) -> None:
    engine = make_engine(known.database.url, 1)
    one, other = bearer(key_for(engine)), bearer(key_for(engine))
    engine.dispose()
    await put(cache, made())
    async with serving(guarded(known)) as client:
        await eventually(lambda: all_ok(client))
        key = {"Idempotency-Key": "same"}
        mine = await client.post("/v1/predict", json=FRESH, headers=one | key)
        theirs = await client.post("/v1/predict", json=FRESH, headers=other | key)
        assert (mine.status_code, theirs.status_code) == (202, 202)
        assert theirs.headers["idempotency-status"] == "kept"
        path = mine.headers["location"]
        assert path != theirs.headers["location"]
        assert (await client.get(path, headers=one)).status_code == 200
        problem(await client.get(path, headers=other), 404, "unknown_job")
        again = await client.post("/v1/predict", json=FRESH, headers=one | key)
        assert again.headers["location"] == path


async def test_answers_in_time_go_to_all_who_wait(
    client: httpx.AsyncClient, cache: Cache, answering: Answering
) -> None:
    await put(cache, made("AAPL"))
    body = {"tickers": ["AAPL"], "fresh": True, "wait_seconds": 10}
    found = await asyncio.gather(*(client.post("/v1/predict", json=body) for _ in range(5)))
    assert [one.status_code for one in found] == [200] * 5
