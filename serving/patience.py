"""Waiting for a server that is away."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from riskee.errors import RetryableError
from riskee.logs import get_logger
from serving.health import Health

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 2.0

ResultT = TypeVar("ResultT")

_log = get_logger(__name__)


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


async def finish(work: Coroutine[Any, Any, None], stopping: asyncio.Event, seconds: float) -> None:
    """Do some work; once the process is asked to stop, for no longer than so many seconds."""
    task, asked = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            await task
        else:
            _log.warning("stopped with work unfinished; it is delivered again")
    finally:
        asked.cancel()
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
