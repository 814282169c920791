"""The database of an event loop: what a thread still has of it when it is closed."""

import asyncio
import threading

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from riskee.settings import DatabaseSettings
from serving.database import Database
from tests.integration.conftest import eventually

pytestmark = pytest.mark.integration


async def test_a_connection_lent_to_a_thread_ends_when_it_is_given_back(engine: Engine, database_url: str) -> None:
    database = Database.connect(DatabaseSettings(url=SecretStr(database_url)))
    asked = asyncio.create_task(database.run(lambda connection: connection.execute(text("SELECT pg_sleep(0.3)"))))
    await eventually(lambda: asyncio.to_thread(others, engine))
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    database.close()
    await eventually(lambda: not others(engine))


def others(engine: Engine) -> bool:
    """Whether someone else is connected to this database."""
    with engine.begin() as connection:
        count = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return bool(connection.execute(count).scalar_one())


async def test_a_database_that_hangs_takes_no_thread_of_anything_else(database_url: str) -> None:
    database = Database.connect(DatabaseSettings(url=SecretStr(database_url)))
    goes_on = threading.Event()
    asked = [asyncio.create_task(database.run(lambda _: goes_on.wait())) for _ in range(100)]
    try:
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: True)
        database.close()
    finally:
        goes_on.set()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert outcomes.count(True) == 4, "what has not begun is given up"
