"""Traces of requests: what a caller says is a link at most."""

from typing import Any
from uuid import UUID

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from riskee.clock import FixedClock
from riskee.tracing.sending import SendingTracer
from riskee.tracing.span import Remote
from serving.api.tracing import TracedRequests, remote_of
from tests.unit.tracing.ticks import AT, Kept

IDS = b"4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
OWN = UUID("00000000-0000-4000-8000-ffffffffffff")


async def asked(app: ASGIApp, kind: str = "http", ratio: float = 1.0, **headers: str) -> Kept:
    kept = Kept()
    tracer = SendingTracer(kept, FixedClock(AT), ratio)
    traced = TracedRequests(app, tracer, FixedClock(AT), lambda _scope: "/v1/predict/{ticker}", lambda: OWN)
    scope = {
        "type": kind,
        "method": "GET",
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
        "state": {"request_id": "r-1"},
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    try:
        await traced(scope, receive, send)
    except LookupError:
        sent.append("raised")
    assert sent, "the caller gets the answer"
    return kept


def answering(status: int) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def failing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise LookupError


@pytest.mark.parametrize(("status", "error"), [(200, ""), (404, ""), (503, "503")])
async def test_a_request_is_a_trace_of_its_own(status: int, error: str) -> None:
    (span,) = (await asked(answering(status), traceparent=f"00-{IDS.decode()}-01")).spans
    assert (span.trace, span.parent_id, span.name, span.error) == (OWN, None, "GET /v1/predict/{ticker}", error)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/predict/{ticker}",
        "http.response.status_code": status,
        "riskee.request_id": "r-1",
    }
    assert span.link == Remote(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)


async def test_a_failure_is_told_and_goes_on() -> None:
    (span,) = (await asked(failing)).spans
    assert (span.error, span.link) == ("LookupError", None)


async def test_the_caller_does_not_decide_what_is_sampled() -> None:
    assert (await asked(answering(200), ratio=0.0, traceparent=f"00-{IDS.decode()}-01")).spans == []


async def test_a_websocket_is_no_request() -> None:
    assert (await asked(answering(200), kind="websocket")).spans == []


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"01-" + IDS + b"-01",
        b"00-" + IDS,
        b"00-" + IDS + b"-01-more",
        b"00-" + IDS.upper() + b"-01",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
        b"00-" + IDS + b"-01\n",
    ],
)
def test_any_other_text_is_no_trace(header: bytes) -> None:
    assert remote_of(header) is None
