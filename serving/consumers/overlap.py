"""Work on servers that goes on while the processor computes what comes next."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Overlap:
    """One piece of work under way at most; the next begins when it has ended."""

    def __init__(self) -> None:
        self._under_way: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the work go on beside its caller, who has called `finish` before."""
        self._under_way = asyncio.create_task(work)

    async def finish(self) -> None:
        """Wait for what is under way. Raises what it raised."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            await under_way
