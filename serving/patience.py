"""Waiting for a server that is away."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from riskee.errors import RetryableError
from serving.health import Health

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0

ResultT = TypeVar("ResultT")


class StoppedError(Exception):
    """The process was asked to stop while it waited."""


async def pause(seconds: float, stopping: asyncio.Event) -> None:
    """Sleep, but no longer than until the process is asked to stop."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


async def until_done(
    action: Callable[[], Awaitable[ResultT]],
    *,
    dependency: str,
    health: Health,
    stopping: asyncio.Event,
) -> ResultT:
    """Repeat an action for as long as it fails retryably, ever more slowly; the health names the trouble meanwhile.

    Raises StoppedError when the process is asked to stop before it succeeds.
    """
    delay = FIRST_PAUSE
    while True:
        try:
            result = await action()
        except RetryableError as error:
            health.down(dependency, str(error))
            await pause(delay, stopping)
            if stopping.is_set():
                raise StoppedError from error
            delay = min(2 * delay, LONGEST_PAUSE)
        else:
            health.up(dependency)
            return result
