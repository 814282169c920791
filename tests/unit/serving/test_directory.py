"""The tickers that can be asked for: what an unknown one costs, and a database that hangs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from riskee.clock import FixedClock
from riskee.errors import RetryableError
from riskee.storage.tickers import TickerInfo
from serving.api import directory as module
from serving.api.bounded import Bounded
from serving.api.directory import Directory
from serving.api.problems import ProblemError
from serving.database import Database

TICKERS = ("AAPL", "AAP", "IBM", "IBN", "MSFT")


class Asked:
    """A database that has the tickers; while it hangs its threads wait."""

    def __init__(self) -> None:
        self.flows = threading.Event()
        self.flows.set()
        self.asked = 0

    async def run(self, _work: object) -> list[TickerInfo]:
        self.asked += 1
        await asyncio.to_thread(self.flows.wait)
        return [TickerInfo(name, name, is_index=False, source="made") for name in TICKERS]


@pytest.fixture
async def database() -> AsyncIterator[Asked]:
    database = Asked()
    yield database
    # The event loop waits for its threads.
    database.flows.set()


def _anything(_connection: Connection) -> list[TickerInfo]:
    return []


def _directory(database: Asked) -> Directory:
    return Directory(cast("Database", database), FixedClock(datetime(2026, 11, 22, tzinfo=UTC)))


async def test_near_tickers_are_looked_for_among_those_that_begin_alike(
    database: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []

    def noted(wanted: str, known: Sequence[str], **how: Any) -> list[str]:
        looked_at.extend(known)
        return [ticker for ticker in known if ticker[:2] == wanted[:2]]

    monkeypatch.setattr(module, "get_close_matches", noted)
    directory = _directory(database)
    for wanted, near in (("IBX", ["IBM", "IBN"]), ("I" * 17, list(TICKERS)), ("ZZZ", list(TICKERS))):
        with pytest.raises(ProblemError) as refused:
            await directory.predicted(wanted)
        assert refused.value.more["near"] == near
    assert looked_at == ["IBM", "IBN"]


async def test_a_database_that_hangs_is_not_waited_for_without_end(
    database: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENT_SECONDS", 0.05)
    database.flows.clear()
    directory = _directory(database)
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*(directory.infos() for _ in range(9)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {RetryableError}
    assert database.asked == 1, "one thread waits for all"
    assert await directory.predicted("anything") == "ANYTHING", "the cache may know it"


async def test_what_was_left_behind_is_waited_for_before_anything_else(database: Asked) -> None:
    database.flows.clear()
    bounded = Bounded(cast("Database", database))
    for _ in range(3):
        with pytest.raises(RetryableError, match="in time"):
            await bounded.run(_anything, 0.02)
    assert database.asked == 1
    database.flows.set()
    async with asyncio.timeout(60):
        while True:
            try:
                assert await bounded.run(_anything, 30.0)
                break
            except RetryableError:
                await asyncio.sleep(0.01)
