"""What is refused is counted first, and does not fill the audit log."""

from collections import Counter
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Scope
from structlog.testing import capture_logs

from riskee.clock import SystemClock
from riskee.settings import LimitSettings, Settings
from serving.api.problems import ProblemError
from serving.api.requests import RequestIds
from serving.api.security.caller import OPEN, Caller
from serving.api.security.gate import Gate
from serving.api.security.guard import Guard
from serving.api.security.refusals import Refusals
from tests.unit.serving.security.test_limiter import Bucket

KEY = Caller("k1", "key", frozenset())
FORBIDDEN = ProblemError(HTTPStatus.FORBIDDEN, "forbidden", "no such scope", "")
UNAUTHORIZED = ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized", "no credential was sent", "")


def scope(address: str = "192.0.2.1") -> Scope:
    return {"type": "http", "client": (address, 1), "method": "GET", "state": {"request_id": "r"}}


def guard(bucket: Bucket, *, required: bool = True) -> Guard:
    settings = Settings(_env_file=None)
    own = settings.api.guard.model_copy(update={"require_credentials": required})
    limits = LimitSettings(address_per_minute=2400)
    api = settings.api.model_copy(update={"guard": own, "limits": limits})
    made = Guard.of(settings.model_copy(update={"api": api}), SystemClock())
    made.limiter.evaluate = bucket
    return made


def client_of(made: Guard, address: str = "192.0.2.1") -> httpx.AsyncClient:
    gate = Gate(PlainTextResponse("let in"), made, Settings(_env_file=None).api.guard)
    transport = httpx.ASGITransport(RequestIds(gate, new_id=lambda: UUID(int=1)), client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def audited(lines: list[Any]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "audit"]


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {}])
async def test_a_flood_of_refusals_is_limited_and_has_two_lines(header: dict[str, str]) -> None:
    bucket = Bucket(50)
    made = guard(bucket)
    with capture_logs() as lines:
        async with client_of(made) as client:
            seen = Counter([(await client.get("/v1/statuses", headers=header)).status_code for _ in range(1000)])
        at_once = len(audited(lines))
        made.refusals.sum_up()
    assert seen[429] == 950, "they count towards the limit of the address"
    told = audited(lines)
    assert at_once == 2, "the refusal, and that it was too many"
    assert [line.get("repeated") for line in told] == [None, None, 49, 949]
    assert {line["outcome"] for line in told} == {"denied"}


async def test_where_nothing_is_limited_a_flood_has_two_lines_too() -> None:
    bucket = Bucket(50)
    made = guard(bucket, required=False)
    with capture_logs() as lines:
        async with client_of(made) as client:
            for _ in range(100):
                assert (await client.get("/v1/statuses", headers={"Origin": "https://evil.example"})).status_code == 403
        made.refusals.sum_up()
    assert bucket.calls == 0
    assert [line.get("repeated") for line in audited(lines)] == [None, 99]


def test_what_differs_has_a_line_of_its_own() -> None:
    refusals = Refusals()
    with capture_logs() as lines:
        for _ in range(3):
            refusals.note(scope(), None, "/v1/statuses", UNAUTHORIZED)
            refusals.note(scope(), None, "/v1/tickers", UNAUTHORIZED)
            refusals.note(scope("192.0.2.2"), None, "/v1/statuses", UNAUTHORIZED)
            refusals.note(scope(), OPEN, "/v1/statuses", FORBIDDEN)
            refusals.note(scope(), KEY, "/v1/statuses", FORBIDDEN)
            refusals.note(scope(), KEY, "/v1/tickers", FORBIDDEN)
    first = [(line["address"][-1], line["caller"], line["route"], line["status"]) for line in audited(lines)]
    assert first == [
        ("1", "", "/v1/statuses", 401),
        ("2", "", "/v1/statuses", 401),
        ("1", "", "/v1/statuses", 403),
        ("1", "k1", "/v1/statuses", 403),
        ("1", "k1", "/v1/tickers", 403),
    ]


def test_a_new_minute_begins_anew() -> None:
    refusals = Refusals()
    with capture_logs() as lines:
        for _ in range(2):
            refusals.note(scope(), None, "", UNAUTHORIZED)
            refusals.sum_up()
    assert [line.get("repeated") for line in audited(lines)] == [None, None]


def test_many_addresses_fill_neither_log_nor_memory() -> None:
    refusals = Refusals()
    with capture_logs() as lines:
        for number in range(1000):
            refusals.note(scope(f"192.0.{number // 250}.{number % 250}"), None, "", UNAUTHORIZED)
        for host in range(10):
            refusals.note(scope(f"2001:db8::{host}"), None, "", UNAUTHORIZED)
        refusals.sum_up()
    told = audited(lines)
    assert len(told) == 201
    assert told[-1]["repeated"] == 810


def test_a_network_is_one_address() -> None:
    refusals = Refusals()
    with capture_logs() as lines:
        for host in range(100):
            refusals.note(scope(f"2001:db8::{host:x}"), None, "", UNAUTHORIZED)
    assert len(audited(lines)) == 1
