"""Work in the background, for as long as the API runs."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from riskee.logs import get_logger

_log = get_logger(__name__)


@dataclass
class Background:
    """Works that go on until they are stopped. One that ends by itself met a defect: without it the API would go on and
    be wrong, say with keys that were revoked, so `on_failure` is told."""

    on_failure: Callable[[], None]
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin to work, which the log calls by this name."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            _log.critical("a work in the background has ended", work=task.get_name(), exc_info=task.exception())
            self.on_failure()

    async def stop(self) -> None:
        """End all of it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
