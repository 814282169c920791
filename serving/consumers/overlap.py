"""Work on servers that goes on while the processor computes what comes next."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

Work = Callable[[], Coroutine[Any, Any, None]]


class Overlap:
    """Pieces of work one after the other, beside their caller. One that fails is kept, with all after it."""

    def __init__(self) -> None:
        # The first is under way, or is begun again at the next call.
        self._left: deque[Work] = deque()
        self._under_way: asyncio.Task[None] | None = None

    async def begin(self, work: Work) -> None:
        """Let the work go on beside its caller, once what came before has ended. Raises what that raised."""
        self._left.append(work)
        await self._until(1)
        self._start()

    async def finish(self) -> None:
        """Wait until nothing is left. Raises what the first that failed raised; the next call begins it again."""
        await self._until(0)

    async def rest(self) -> None:
        """Wait for what is under way; how it ended shows at the next call."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    async def _until(self, left: int) -> None:
        while len(self._left) > left:
            self._start()
            under_way, self._under_way = self._under_way, None
            if under_way is not None:
                await under_way
            self._left.popleft()

    def _start(self) -> None:
        if self._under_way is None and self._left:
            self._under_way = asyncio.create_task(self._left[0]())
