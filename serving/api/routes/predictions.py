"""Predictions: of one ticker, and of many."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import ASGIApp

from riskee.access.grants import Grant
from riskee.messaging.messages import ModelType
from serving.api.answers import (
    BatchAnswer,
    FailureAnswer,
    PredictionAnswer,
    answer_response,
    answers,
    prediction_answer,
)
from serving.api.backend import Backend
from serving.api.idempotency import IdempotencyKey, IdempotentRoute, changes_nothing
from serving.api.job_store import Result
from serving.api.latest import latest_answer
from serving.api.parameters import LONGEST_WAIT_SECONDS, TICKER, TickerPath
from serving.api.paths import PREFIX
from serving.api.problems import ProblemError
from serving.api.replies import backend_of, caller_of, encoded, kept_body, reply
from serving.api.routes.jobs import JobAnswer, told_later
from serving.api.security.caller import require

router = APIRouter(tags=["predictions"], route_class=IdempotentRoute)


# Unknown tickers of a batch to which near ones are named: to look for them takes milliseconds.
_LOOKED_FOR = 3


class PredictRequest(BaseModel):
    """Which tickers to predict."""

    # Strict: `true` is no number of seconds, and no text is a truth.
    model_config = ConfigDict(extra="forbid", strict=True)

    tickers: Annotated[
        list[Annotated[str, Field(pattern=TICKER)]],
        Field(min_length=1, max_length=5000, description="exchange symbols", examples=[["AAPL", "IBM"]]),
    ]
    fresh: Annotated[bool, Field(description="compute now, from the latest quote, instead of reading the last one")] = (
        False
    )
    wait_seconds: Annotated[
        float | None,
        Field(
            ge=0,
            le=LONGEST_WAIT_SECONDS,
            description="longest wait for fresh predictions; left out: as the settings say",
        ),
    ] = None


class _Batch(msgspec.Struct, frozen=True):
    """A `BatchAnswer` whose predictions are JSON already."""

    predictions: list[msgspec.Raw]
    failures: list[FailureAnswer]


async def predict(request: Request, ticker: TickerPath) -> ASGIApp:
    """The latest prediction of a ticker."""
    answer = await latest_answer(backend_of(request), ticker)
    if any(name == b"if-none-match" for name, _ in request.scope["headers"]):
        return kept_body(request, answer.body, answer.tag)
    return answer


latest = APIRoute(
    f"{PREFIX}/predict/{{ticker}}",
    predict,
    methods=["GET"],
    response_model=None,
    operation_id="predict",
    responses=answers(PredictionAnswer, 404),
    tags=router.tags,
)


@router.post(
    "/predict",
    responses=answers(BatchAnswer, 404, 409, 422, 504) | {202: answer_response("the job goes on", JobAnswer)},
)
async def predict_batch(request: Request, wanted: PredictRequest, _key: IdempotencyKey = None) -> Response:
    """The latest predictions of several tickers, or fresh ones.

    What cannot be predicted is among `failures`; only where nothing can, the answer is a problem. Fresh predictions
    that are not all there within `wait_seconds` are a job (202): `Location` says where to look for them.
    """
    if wanted.fresh:
        require(request, Grant.PREDICTIONS_COMPUTE)
    backend = backend_of(request)
    tickers, problems = await _known(backend, wanted.tickers)
    if tickers and wanted.fresh:
        return await _fresh(request, tickers, problems, wanted.wait_seconds)
    changes_nothing(request)
    latest = await backend.prepared.many(tickers)
    missing = [
        FailureAnswer(ticker, "no_prediction", f"no prediction of {ticker} is known now", "wait for its next quote")
        for ticker in tickers
        if ticker not in latest
    ]
    found = [msgspec.Raw(latest[ticker]) for ticker in tickers if ticker in latest]
    return _batch(found, missing, problems)


async def _known(backend: Backend, tickers: list[str]) -> tuple[list[str], dict[str, ProblemError]]:
    known: dict[str, None] = {}
    problems: dict[str, ProblemError] = {}
    for ticker in tickers:
        try:
            known[await backend.directory.predicted(ticker, near=len(problems) < _LOOKED_FOR)] = None
        except ProblemError as problem:
            problems[ticker] = problem
    return list(known), problems


async def _fresh(
    request: Request, tickers: list[str], problems: dict[str, ProblemError], wait_seconds: float | None
) -> Response:
    backend = backend_of(request)
    types = await _last_types(backend, tickers)
    refused = {ticker: Result(failure=_as_failure(ticker, problem)) for ticker, problem in problems.items()}
    job = backend.jobs.begin(caller_of(request), types, refused)
    seconds = backend.settings.api.fresh_timeout_seconds if wait_seconds is None else wait_seconds
    if not await backend.jobs.wait(job, seconds):
        return told_later(backend, job.found())
    now, results = backend.clock.now(), [job.results[ticker] for ticker in tickers]
    judged = [backend.reader.judge(one.prediction, now) for one in results if one.prediction is not None]
    found = [msgspec.Raw(encoded(prediction_answer(number))) for number in judged]
    return _batch(found, [one.failure for one in results if one.failure is not None], problems)


async def _last_types(backend: Backend, tickers: list[str]) -> dict[str, ModelType]:
    """Which model predicted each ticker last; the normal one, where neither the cache nor the database says."""
    last = await backend.reader.cached(tickers)
    last |= await backend.reader.missing([ticker for ticker in tickers if ticker not in last], others=True)
    return {ticker: last[ticker].model_type if ticker in last else "normal" for ticker in tickers}


def _batch(found: list[msgspec.Raw], failures: list[FailureAnswer], problems: dict[str, ProblemError]) -> Response:
    failures = [*(_as_failure(ticker, problem) for ticker, problem in problems.items()), *failures]
    if not found:
        raise _nothing(failures, problems)
    return reply(_Batch(found, failures))


def _as_failure(ticker: str, problem: ProblemError) -> FailureAnswer:
    return FailureAnswer(ticker, problem.kind, problem.cause, problem.next_step)


def _nothing(failures: list[FailureAnswer], problems: dict[str, ProblemError]) -> ProblemError:
    """The problem that stands for a batch in which nothing could be predicted."""
    if len(problems) == len(failures):
        return next(iter(problems.values()))
    first = failures[-1]
    status = HTTPStatus.GATEWAY_TIMEOUT if first.status == "timeout" else HTTPStatus.SERVICE_UNAVAILABLE
    return ProblemError(status, first.status, first.detail, first.next_step, failures=failures)
