"""The database for an event loop: blocking calls, made in threads."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, text

from riskee.settings import DatabaseSettings
from riskee.storage.database import close_engine, database_errors, make_service_engine

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Database:
    """Runs work in a thread, each in one transaction."""

    engine: Engine

    @classmethod
    def connect(cls, settings: DatabaseSettings) -> Self:
        """A database that connects on first use."""
        return cls(make_service_engine(settings.url, settings.pool_size))

    async def run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """What `work` gives, committed. Raises RetryableError where the database does not answer."""
        return await asyncio.to_thread(self._run, work)

    def _run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        with database_errors(), self.engine.begin() as connection:
            return work(connection)

    async def ping(self) -> None:
        """Raises RetryableError where the database does not answer."""
        await self.run(lambda connection: connection.execute(text("SELECT 1")))

    def close(self) -> None:
        close_engine(self.engine)
