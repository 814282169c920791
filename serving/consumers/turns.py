"""Whose turn it is to use the state: one at a time, and who asks for a prediction before the quotes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock with two kinds of callers. A wave of quotes lets those jobs go first that wait when its turn comes, once:
    jobs without a pause must not hold up the quotes."""

    def __init__(self) -> None:
        # Its callers get it in the order in which they came.
        self._lock = asyncio.Lock()
        self._jobs_waiting = 0
        self._jobs_begun = 0

    @asynccontextmanager
    async def job(self) -> AsyncIterator[None]:
        """The turn of jobs: after the wave that is under way, if any."""
        self._jobs_waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._jobs_waiting -= 1
        self._jobs_begun += 1
        try:
            yield
        finally:
            self._lock.release()

    @asynccontextmanager
    async def wave(self) -> AsyncIterator[None]:
        """The turn of a wave of quotes: after the jobs that wait, unless it has waited for jobs already."""
        begun = self._jobs_begun
        await self._lock.acquire()
        if self._jobs_waiting and self._jobs_begun == begun:
            self._lock.release()
            await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()
