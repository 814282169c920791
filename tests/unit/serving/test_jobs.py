"""Places for jobs: one that has ended, however that came, holds none."""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any, cast
from uuid import UUID

import pytest

from riskee.clock import SystemClock
from riskee.errors import RetryableError
from riskee.messaging.messages import ModelType
from serving.api.asking import Asker
from serving.api.job_store import JobStore
from serving.api.jobs import _MOST, _MOST_ENDED, _MOST_OF_CALLER, Job, Jobs
from serving.api.problems import ProblemError
from tests.unit.messaging.samples import PREDICTION

AAPL: Mapping[str, ModelType] = {"AAPL": "normal"}


class Predicting:
    """Answers once it is let, with what it is told to."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.let = asyncio.Event()
        self.failure: Exception | None = None

    def require_bus(self) -> None:
        pass

    def new_id(self) -> UUID:
        return UUID(int=next(self.numbers))

    async def predict(self, *_: object) -> object:
        await self.let.wait()
        if self.failure is not None:
            raise self.failure
        return PREDICTION


class Away:
    """The cache is away."""

    async def write(self, *_: object) -> None:
        raise RetryableError("the cache does not answer")

    async def read(self, _: UUID) -> None:
        return None


@pytest.fixture
def predicting() -> Predicting:
    return Predicting()


@pytest.fixture
async def jobs(predicting: Predicting) -> Any:
    jobs = Jobs(cast("Asker", predicting), cast("JobStore", Away()), SystemClock(), seconds=60)
    yield jobs
    await jobs.close()


async def begun(jobs: Jobs, caller: str) -> Job:
    job = jobs.begin(caller, AAPL, {})
    assert not await jobs.wait(job, 0)
    return job


def refused(jobs: Jobs, caller: str) -> int:
    """The status of the refusal; 0: there is room."""
    try:
        jobs._make_room(caller)
    except ProblemError as problem:
        return int(problem.status) if problem.kind == "too_many_jobs" and problem.headers["Retry-After"] else -1
    return 0


async def ended(predicting: Predicting, *jobs: Job) -> None:
    predicting.let.set()
    await asyncio.gather(*(job.work for job in jobs if job.work is not None))


async def test_one_caller_leaves_places_to_others(jobs: Jobs) -> None:
    for _ in range(_MOST_OF_CALLER):
        await begun(jobs, "greedy")
    assert refused(jobs, "greedy") == 429, "it is about the caller"
    assert refused(jobs, "another") == 0
    for number in range(_MOST - _MOST_OF_CALLER):
        await begun(jobs, f"other {number}")
    assert refused(jobs, "late") == 503, "it is about the server"


async def test_what_has_ended_holds_no_place_though_it_could_not_be_stored(jobs: Jobs, predicting: Predicting) -> None:
    done: list[Job] = []
    for _ in range(3 * _MOST):
        predicting.let.clear()
        done.append(await begun(jobs, "one"))
        await ended(predicting, done[-1])
    assert len(jobs._jobs) <= _MOST_ENDED + 1
    found = await jobs.find(done[-1].asked.job_id, "one")
    assert found is not None
    assert (found.status, found.stored) == ("done", False)
    assert await jobs.find(done[0].asked.job_id, "one") is None


async def test_a_defect_ends_the_job_as_a_failure(jobs: Jobs, predicting: Predicting) -> None:
    predicting.failure = ValueError("postgresql://user:hidden@db")
    job = await begun(jobs, "one")
    await ended(predicting, job)
    found = await jobs.find(job.asked.job_id, "one")
    assert found is not None
    failure = found.results["AAPL"].failure
    assert failure is not None
    assert (found.status, failure.status) == ("done", "internal")
    assert "hidden" not in failure.detail


async def test_a_job_that_nobody_was_told_of_is_given_up(jobs: Jobs) -> None:
    job = jobs.begin("one", AAPL, {})
    waiting = asyncio.create_task(jobs.wait(job, 60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert job.work is not None
    await asyncio.wait({job.work})
    assert job.work.cancelled()
    assert jobs._jobs == {}
