"""Bodies of requests: read in whole before a route sees them, none too long and none too slow."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Message, Receive

from riskee.settings import GuardSettings
from serving.api.problems import ProblemError


def has_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether something follows the headers."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


class Body(NamedTuple):
    """A body that was read: what to receive from instead, and its length in bytes."""

    receive: Receive
    length: int


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], settings: GuardSettings) -> Body:
    """Read the body.

    Raises ProblemError: 413 for a longer one, announced or not, 408 for a slower one.
    """
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > settings.body_bytes:
        raise _too_long(settings.body_bytes)
    parts: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(settings.body_seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return Body(_replayed(message, receive), length)
                part: bytes = message.get("body", b"")
                length += len(part)
                if length > settings.body_bytes:
                    raise _too_long(settings.body_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    break
    except TimeoutError as error:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT,
            "slow_body",
            f"the body was not complete within {settings.body_seconds:g} s",
            "send it faster, or raise RISKEE_API__GUARD__BODY_SECONDS",
        ) from error
    whole = {"type": "http.request", "body": b"".join(parts), "more_body": False}
    return Body(_replayed(whole, receive), length)


def _too_long(limit: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_long",
        f"the body is longer than {limit} bytes",
        "send less at once, or raise RISKEE_API__GUARD__BODY_BYTES",
    )


def _replayed(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
