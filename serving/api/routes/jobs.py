"""Jobs: fresh predictions that took longer than somebody waited."""

from datetime import datetime
from http import HTTPStatus
from typing import Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.api.answers import FailureAnswer, PredictionAnswer, answers, prediction_answer
from serving.api.backend import Backend
from serving.api.jobs import Found
from serving.api.problems import ProblemError
from serving.api.replies import backend_of, caller_of, reply

router = APIRouter(tags=["predictions"])
_POLL_SECONDS = 1


class JobAnswer(msgspec.Struct, frozen=True):
    """A job and what it has come to: each of the `asked` tickers is in one of the two lists once it is `done`.

    `stored`: a restart of the API would not lose it. Where one did, what was not heard is among the failures.
    """

    job_id: UUID
    status: Literal["running", "done"]
    requested_at: datetime
    asked: int
    stored: bool
    predictions: tuple[PredictionAnswer, ...]
    failures: tuple[FailureAnswer, ...]


def job_answer(backend: Backend, found: Found) -> JobAnswer:
    """What is told of a job."""
    now, asked = backend.clock.now(), found.asked
    predictions = (one.prediction for one in found.results.values() if one.prediction is not None)
    return JobAnswer(
        job_id=asked.job_id,
        status=found.status,
        requested_at=asked.requested_at,
        asked=len(asked.tickers),
        stored=found.stored,
        predictions=tuple(prediction_answer(backend.reader.judge(one, now)) for one in predictions),
        failures=tuple(one.failure for one in found.results.values() if one.failure is not None),
    )


def told_later(backend: Backend, found: Found) -> Response:
    """The answer to who does not wait longer."""
    headers = {"Location": f"/v1/jobs/{found.asked.job_id}", "Retry-After": str(_POLL_SECONDS)}
    return reply(job_answer(backend, found), HTTPStatus.ACCEPTED, headers)


@router.get("/jobs/{job_id}", responses=answers(JobAnswer, 404, 422))
async def job(request: Request, job_id: UUID) -> Response:
    """How far a job is. It is known for an hour, to who asked for it; `Retry-After` says when to look again."""
    backend = backend_of(request)
    found = await backend.jobs.find(job_id, caller_of(request))
    if found is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "unknown_job",
            f"nothing is known of a job {job_id}",
            "it began more than an hour ago, or the cache lost it: ask again with POST /v1/predict",
        )
    again = {"Retry-After": str(_POLL_SECONDS)} if found.status == "running" else {}
    return reply(job_answer(backend, found), headers=again)
