"""Fresh predictions, computed on request: for as long as somebody waits, and as a job to look for after that."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Literal
from uuid import UUID

import msgspec

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.messages import ModelType, Prediction
from riskee.storage import keys
from serving.api.answers import FailureAnswer, failure_answer
from serving.api.asking import Asker
from serving.api.job_store import Asked, JobStore, Result, Results
from serving.api.problems import ProblemError

# Jobs that one process works on at once, and those of one caller.
_MOST = 32
_MOST_OF_CALLER = 16
# Ended jobs that wait in memory for a cache that is away; of more the oldest are forgotten.
_MOST_ENDED = 32
_FLUSH_SECONDS = 0.5
_log = get_logger(__name__)


@dataclass(eq=False)
class Job:
    """A job of this process. `stored`: a restart of the API would not lose what is known of it."""

    asked: Asked
    results: Results = field(default_factory=dict)
    work: asyncio.Task[None] | None = None
    stored: bool = False
    written: set[str] = field(default_factory=set)

    @property
    def done(self) -> bool:
        return len(self.results) == len(self.asked.tickers)

    def found(self) -> "Found":
        """What is known of it now."""
        return Found(self.asked, dict(self.results), "done" if self.done else "running", self.stored)


class Found(msgspec.Struct, frozen=True):
    """What is known of a job."""

    asked: Asked
    results: Results
    status: Literal["running", "done"]
    stored: bool


@dataclass
class Jobs:
    """Works on jobs, and finds those that another process began."""

    asker: Asker
    store: JobStore
    clock: Clock
    seconds: float
    _jobs: dict[UUID, Job] = field(default_factory=dict)
    _keeping: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, caller: str, types: Mapping[str, ModelType], refused: Mapping[str, Result]) -> Job:
        """Ask for a fresh prediction of each ticker by the model type beside it; of others it is known already what
        becomes of them.

        Raises ProblemError where there are too many jobs (429: of this caller), RetryableError where the bus is away.
        """
        self.asker.require_bus()
        self._make_room(caller)
        job = Job(Asked(self.asker.new_id(), caller, self.clock.now(), (*types, *refused)), dict(refused))
        self._jobs[job.asked.job_id] = job
        job.work = asyncio.create_task(self._work(job, types))
        return job

    def _make_room(self, caller: str) -> None:
        """Raises ProblemError where there is none: 429 where the caller has as many as one may have, else 503."""
        working = [job.asked.caller for job in self._jobs.values() if not job.done]
        own = working.count(caller)
        if own >= _MOST_OF_CALLER:
            raise _too_many(HTTPStatus.TOO_MANY_REQUESTS, f"{own} jobs of yours")
        if len(working) >= _MOST:
            raise _too_many(HTTPStatus.SERVICE_UNAVAILABLE, f"{_MOST} jobs")
        ended = [job_id for job_id, job in self._jobs.items() if job.done]
        for job_id in ended[: max(len(ended) - _MOST_ENDED, 0)]:
            del self._jobs[job_id]

    async def _work(self, job: Job, types: Mapping[str, ModelType]) -> None:
        async with asyncio.TaskGroup() as group:
            for ticker, model_type in types.items():
                group.create_task(self._ask(job, ticker, model_type))

    async def _ask(self, job: Job, ticker: str, model_type: ModelType) -> None:
        try:
            answer = await self.asker.predict(ticker, model_type, self.seconds)
        except TimeoutError:
            step = "see `riskee status` for predict, or ask without `fresh`"
            result = Result(failure=FailureAnswer(ticker, "timeout", f"no prediction within {self.seconds} s", step))
        except RetryableError as error:
            _log.warning("a job's ticker was not asked for", ticker=ticker, cause=str(error))
            result = Result(failure=FailureAnswer(ticker, "unavailable", "the message bus failed", "ask again"))
        except Exception:  # noqa: BLE001 (the job must end, whatever it is, and give its place to another)
            _log.exception("a defect: a job's ticker could not be asked for", ticker=ticker)
            result = Result(failure=FailureAnswer(ticker, "internal", "a defect of the API", "see the API's log"))
        else:
            result = Result(answer) if isinstance(answer, Prediction) else Result(failure=failure_answer(answer))
        job.results[ticker] = result

    async def wait(self, job: Job, seconds: float) -> bool:
        """Whether a job is done within so many seconds; where it is not, it goes on and can be looked for."""
        told = False
        try:
            if job.work is not None:
                await asyncio.wait({job.work}, timeout=seconds)
            if job.done:
                return True
            await self._flush(job)
            told = True
        finally:
            if not told:
                # Nobody is told where to look for it.
                self._drop(job)
        keeping = asyncio.create_task(self._keep(job))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        return False

    async def _keep(self, job: Job) -> None:
        """Write the results down as they come. What cannot be written stays here for as long as it would there."""
        forgotten = job.asked.requested_at + keys.JOB.ttl
        try:
            while self.clock.now() < forgotten and job.asked.job_id in self._jobs:
                await self._flush(job)
                if job.stored and len(job.written) == len(job.asked.tickers):
                    break
                await asyncio.sleep(_FLUSH_SECONDS)
        finally:
            self._drop(job)

    def _drop(self, job: Job) -> None:
        self._jobs.pop(job.asked.job_id, None)
        if job.work is not None:
            job.work.cancel()

    async def _flush(self, job: Job) -> None:
        new = {ticker: result for ticker, result in job.results.items() if ticker not in job.written}
        try:
            if new or not job.stored:
                await self.store.write(job.asked, new)
        except RetryableError:
            job.stored = False
            job.written.clear()
        else:
            job.stored = True
            job.written.update(new)

    async def find(self, job_id: UUID, caller: str) -> Found | None:
        """What is known of a caller's job; None where that is nothing. Raises RetryableError where only the cache
        could know."""
        job = self._jobs.get(job_id)
        found = await self._stored(job_id) if job is None else job.found()
        return found if found is not None and found.asked.caller == caller else None

    async def _stored(self, job_id: UUID) -> Found | None:
        stored = await self.store.read(job_id)
        if stored is None:
            return None
        asked, results = stored
        results |= await self.store.computed_since(asked, results)
        missing = [ticker for ticker in asked.tickers if ticker not in results]
        if missing and self.clock.now() < asked.requested_at + timedelta(seconds=self.seconds):
            return Found(asked, results, "running", stored=True)
        step = "GET /v1/predict/{ticker} has the latest prediction; or ask again"
        lost = "its answer was not heard: the API was restarted meanwhile"
        results |= {ticker: Result(failure=FailureAnswer(ticker, "unknown", lost, step)) for ticker in missing}
        return Found(asked, results, "done", stored=True)

    async def close(self) -> None:
        """Stop. Who looks for a job later finds what was written down, and what predict computes meanwhile."""
        left = list(self._jobs.values())
        working = {job.work for job in left if job.work is not None} | self._keeping
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for job in left:
            await self._flush(job)


def _too_many(status: HTTPStatus, whose: str) -> ProblemError:
    return ProblemError(
        status,
        "too_many_jobs",
        f"{whose} are under way",
        "ask again when one has ended, or for the latest predictions, without `fresh`",
        headers={"Retry-After": "5"},
    )
