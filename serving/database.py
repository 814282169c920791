"""The database for an event loop: blocking calls, made in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, text

from riskee.settings import DatabaseSettings
from riskee.storage.database import close_engine, database_errors, make_service_engine

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Database:
    """Runs work in a thread, each in one transaction.

    The threads are its own, one for each connection: those that wait for a server that hangs are not what everything
    else of the process is done in.
    """

    engine: Engine
    threads: ThreadPoolExecutor

    @classmethod
    def connect(cls, settings: DatabaseSettings) -> Self:
        """A database that connects on first use."""
        engine = make_service_engine(settings.url, settings.pool_size)
        return cls(engine, ThreadPoolExecutor(settings.pool_size, "database"))

    async def run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """What `work` gives, committed. Raises RetryableError where the database does not answer."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._run, work)

    def _run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        with database_errors(), self.engine.begin() as connection:
            return work(connection)

    async def ping(self) -> None:
        """Raises RetryableError where the database does not answer."""
        await self.run(lambda connection: connection.execute(text("SELECT 1")))

    def close(self) -> None:
        """Begin no more work, and end the connections; what waits for a server is not waited for."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        close_engine(self.engine)
