"""Whose turn it is to use the state: one at a time, and who asks for a prediction before the quotes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock with two kinds of callers. A wave of quotes waits while any job does."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._jobs = 0
        self._no_jobs = asyncio.Event()
        self._no_jobs.set()

    @asynccontextmanager
    async def job(self) -> AsyncIterator[None]:
        """The turn of jobs: after the wave that is under way, if any."""
        self._jobs += 1
        self._no_jobs.clear()
        try:
            async with self._lock:
                yield
        finally:
            self._jobs -= 1
            if not self._jobs:
                self._no_jobs.set()

    @asynccontextmanager
    async def wave(self) -> AsyncIterator[None]:
        """The turn of a wave of quotes: once no job waits."""
        await self._lock.acquire()
        while self._jobs:
            self._lock.release()
            await self._no_jobs.wait()
            await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()
