"""The commands of docs/api.md, run by a shell against a running API."""

import asyncio
import os
from datetime import date

import httpx
import pytest
from sqlalchemy import insert

from riskee.settings import Settings
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.recording import PREDICTIONS, record
from riskee.storage.tables import features_daily
from serving.api.reference import EXAMPLES, PAGE
from tests.integration.answering import Answering, answering
from tests.integration.made_predictions import made, put, sealed
from tests.integration.marts import make_marts

__all__ = ["answering"]
pytestmark = pytest.mark.integration


async def test_every_command_of_the_page_works(
    client: httpx.AsyncClient, cache: Cache, known: Settings, answering: Answering
) -> None:
    engine = make_engine(known.database.url, 1)
    make_marts(engine, known)
    with engine.begin() as connection:
        connection.execute(insert(features_daily), [{"ticker": "AAPL", "session_date": date(2013, 1, 2)}])
    # In both places: on a busy machine the cache may be given up for a second.
    predictions = made("AAPL"), made("IBM")
    record(engine, PREDICTIONS, [sealed(one) for one in predictions])
    engine.dispose()
    await put(cache, *predictions)
    page = PAGE.read_text()
    for name, command in EXAMPLES.items():
        assert command in page
        process = await asyncio.create_subprocess_shell(
            command,
            env={**os.environ, "RISKEE": str(client.base_url)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, (name, err)
        assert out, name
