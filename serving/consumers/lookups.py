"""Reading the database for an explanation, without holding up what else it needs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from riskee.errors import RetryableError

# An explanation without drivers or record, and saying so, is worth more than one that comes too late.
PATIENCE_SECONDS = 8.0

ParamT = ParamSpec("ParamT")
ResultT = TypeVar("ResultT")


class Lookups:
    """Threads of their own for reads: a database that hangs does not take the threads that sentences are checked in
    and documents searched for. A thread that hangs cannot be stopped; the engine gives its statement up in the end."""

    def __init__(self, threads: int, seconds: float = PATIENCE_SECONDS) -> None:
        self._threads = ThreadPoolExecutor(threads, "lookup")
        self._seconds = seconds

    async def of(self, read: Callable[ParamT, ResultT], *args: ParamT.args, **kwargs: ParamT.kwargs) -> ResultT:
        """What it reads, waiting for a thread included. Raises RetryableError where that takes too long."""
        reading = asyncio.get_running_loop().run_in_executor(self._threads, lambda: read(*args, **kwargs))
        try:
            return await asyncio.wait_for(reading, self._seconds)
        except TimeoutError as error:
            cause = f"the database has not answered for {self._seconds:.0f} s"
            raise RetryableError(cause, "check that it runs (`riskee doctor`)") from error
