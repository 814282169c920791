"""Work that is done one after the other while none of it takes long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Singly:
    """A lock that is not waited for without end: what hangs holds up nobody else for longer than `patience_seconds`."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        # Its callers get it in the order in which they came.
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Alone, or after so long beside who has not ended."""
        alone = await self._acquire()
        try:
            yield
        finally:
            if alone:
                self._lock.release()

    async def _acquire(self) -> bool:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._lock.acquire()
        except TimeoutError:
            return False
