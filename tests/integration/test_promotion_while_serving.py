"""Models are promoted while quotes never pause and users ask over HTTP: no request fails."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select

from riskee.clock import SystemClock
from riskee.messaging.slots import quote_subject
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.predictions import find_prediction
from riskee.storage.tables import predictions
from serving.consumers import predict, record
from serving.reproduction import reproduce
from tests.faults.driver import Driver
from tests.faults.market import TICKERS, fill
from tests.integration.conftest import consumer, eventually, serving
from tests.integration.live_data import made_model
from tests.integration.test_predict_under_load import announce

pytestmark = pytest.mark.integration
QUOTES_PER_SECOND = 100
# For seven minutes of one session: between two a ticker may have no quote to predict from.
QUOTES_OF_A_TICKER = 2_000


@dataclass
class Users:
    """Ask one after the other, for what is cached and for what is made for them, and keep every answer."""

    client: httpx.AsyncClient
    # By way of asking: the version that each prediction named, by its id, in the order of the answers.
    versions: dict[str, dict[uuid.UUID, str]] = field(default_factory=lambda: defaultdict(dict))
    failed: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Ask meanwhile; what is under way in the end is waited for."""
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask("cached", enough))
            group.create_task(self._ask("fresh", enough))
            yield
            enough.set()

    def newest(self, way: str) -> str:
        """The version that the last answer named."""
        return next(reversed(self.versions[way].values()), "")

    async def _ask(self, way: str, enough: asyncio.Event) -> None:
        number = 0
        while not enough.is_set():
            ticker, number = TICKERS[number % len(TICKERS)], number + 1
            self._note(way, await (self._cached(ticker) if way == "cached" else self._fresh(ticker)))

    async def _cached(self, ticker: str) -> httpx.Response:
        return await self.client.get(f"/v1/predict/{ticker}")

    async def _fresh(self, ticker: str) -> httpx.Response:
        # Later than that it would be a job.
        body = {"tickers": [ticker], "fresh": True, "wait_seconds": 30}
        return await self.client.post("/v1/predict", json=body)

    def _note(self, way: str, answer: httpx.Response) -> None:
        body: dict[str, Any] = answer.json()
        if answer.status_code != httpx.codes.OK or body.get("failures"):
            self.failed.append(f"{way}: {answer.status_code} {answer.text}")
            return
        for one in body["predictions"] if way == "fresh" else [body]:
            self.versions[way][uuid.UUID(one["prediction_id"])] = one["model_version"]


def ends(told: dict[uuid.UUID, str], version: str) -> tuple[uuid.UUID, uuid.UUID]:
    """The first and the last prediction that a version made."""
    made = [identity for identity, named in told.items() if named == version]
    return made[0], made[-1]


def stored(engine: Engine, users: Users) -> bool:
    """Whether record has written all that the users were told."""
    told = {*users.versions["cached"], *users.versions["fresh"]}
    with engine.connect() as connection:
        return told <= {*connection.scalars(select(predictions.c.prediction_id))}


async def test_no_request_fails_and_each_number_names_the_model_that_made_it(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, long_heard: None
) -> None:
    with engine.begin() as connection:
        market = fill(connection)

    def subject(ticker: str) -> str:
        return quote_subject(ticker, database_settings.predict.parts, database_settings.model.market_ticker)

    driver = Driver(bus, market.rounds(1, QUOTES_OF_A_TICKER), QUOTES_PER_SECOND, SystemClock(), subject)
    champions = [made_model("normal", seed=seed) for seed in (1, 2, 3)]

    async def all_cached() -> bool:
        answers = [await client.get(f"/v1/predict/{ticker}") for ticker in TICKERS]
        return all(answer.status_code == httpx.codes.OK for answer in answers)

    async with (
        consumer("record", database_settings, record.main),
        consumer("predict", database_settings, predict.main),
        serving(database_settings) as client,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(driver.run())
        await eventually(all_cached)
        users = Users(client)
        async with users.asking():
            for place, model in enumerate(champions):
                if place:
                    await announce(bus, engine, model)
                for way in ("cached", "fresh"):
                    await eventually(lambda way=way, model=model: users.newest(way) == model.version)  # type: ignore[misc]
        driver.stop()
        await eventually(lambda: stored(engine, users))
    assert users.failed == []
    with engine.connect() as connection:
        for way in ("cached", "fresh"):
            told = users.versions[way]
            # One after the other, none again.
            assert list(dict.fromkeys(told.values())) == [model.version for model in champions]
            rows = {identity: find_prediction(connection, identity).model_version for identity in told}
            assert rows == told
            # That version makes the same bytes again; the first and last numbers of each are nearest to a change.
            edges = [identity for model in champions for identity in ends(told, model.version)]
            assert all(reproduce(connection, database_settings, identity).equal for identity in edges)
