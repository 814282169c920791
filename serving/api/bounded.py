"""Questions to the database, none of which is waited for without end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from riskee.errors import RetryableError
from serving.database import Database

ResultT = TypeVar("ResultT")
# How long the database may take: where the rest of the answer is there without it, and where nothing of it is.
IMPATIENT_SECONDS = 1.0
PATIENT_SECONDS = 5.0


@dataclass
class Bounded:
    """Asks the database. The thread that waits for a server cannot be cancelled, so until one that was left behind ends
    nothing else is asked: a database that hangs takes one of its threads, not all."""

    database: Database
    _unanswered: asyncio.Task[Any] | None = None

    async def run(self, work: Callable[[Connection], ResultT], seconds: float) -> ResultT:
        """What `work` gives. Raises RetryableError where that does not come within so many seconds."""
        trouble = RetryableError("the database does not answer in time", "see `riskee status`")
        if self._unanswered is not None and not self._unanswered.done():
            raise trouble
        asked = asyncio.create_task(self.database.run(work))
        try:
            return await asyncio.wait_for(asyncio.shield(asked), seconds)
        except TimeoutError:
            self._unanswered = asked
            asked.add_done_callback(_look)
            raise trouble from None


def _look(unanswered: asyncio.Task[Any]) -> None:
    """Nobody waits any more for what came of it."""
    if not unanswered.cancelled():
        unanswered.exception()
