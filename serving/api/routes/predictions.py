"""Predictions: of one ticker, and of many."""

import asyncio
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from riskee.access.grants import Grant
from riskee.messaging.messages import Prediction
from serving.api.answers import (
    BatchAnswer,
    FailureAnswer,
    PredictionAnswer,
    answers,
    failure_answer,
    prediction_answer,
)
from serving.api.backend import Backend
from serving.api.latest import latest_answer
from serving.api.paths import PREFIX
from serving.api.plain import PlainRoute
from serving.api.problems import ProblemError
from serving.api.replies import backend_of, encoded, kept_body, reply
from serving.api.security.caller import require
from serving.api.standing import Number

router = APIRouter(tags=["predictions"])


# Unknown tickers of a batch to which near ones are named: to look for them takes milliseconds.
_LOOKED_FOR = 3


class PredictRequest(BaseModel):
    """Which tickers to predict."""

    model_config = ConfigDict(extra="forbid")

    tickers: Annotated[list[str], Field(min_length=1, max_length=5000, examples=[["AAPL", "IBM"]])]
    fresh: Annotated[bool, Field(description="compute now, from the latest quote, instead of reading the last one")] = (
        False
    )


class _Batch(msgspec.Struct, frozen=True):
    """A `BatchAnswer` whose predictions are JSON already."""

    predictions: list[msgspec.Raw]
    failures: list[FailureAnswer]


async def predict(request: Request, ticker: str) -> Response:
    """The latest prediction of a ticker."""
    return kept_body(request, *await latest_answer(backend_of(request), ticker))


latest = PlainRoute(f"{PREFIX}/predict/{{ticker}}", predict, responses=answers(PredictionAnswer, 404), tags=router.tags)


@router.post("/predict", responses=answers(BatchAnswer, 404, 422, 504))
async def predict_batch(request: Request, wanted: PredictRequest) -> Response:
    """The latest predictions of several tickers, or fresh ones.

    What cannot be predicted is among `failures`; only where nothing can, the answer is a problem.
    """
    if wanted.fresh:
        require(request, Grant.PREDICTIONS_COMPUTE)
    backend = backend_of(request)
    tickers, problems = await _known(backend, wanted.tickers)
    if tickers and wanted.fresh:
        predictions, failures = await _fresh(backend, tickers)
    else:
        predictions, failures = await _stored(backend, tickers)
    failures = [*(_as_failure(ticker, problem) for ticker, problem in problems.items()), *failures]
    if not predictions:
        raise _nothing(failures, problems)
    return reply(_Batch(predictions, failures))


async def _known(backend: Backend, tickers: list[str]) -> tuple[list[str], dict[str, ProblemError]]:
    known: dict[str, None] = {}
    problems: dict[str, ProblemError] = {}
    for ticker in tickers:
        try:
            known[await backend.directory.predicted(ticker, near=len(problems) < _LOOKED_FOR)] = None
        except ProblemError as problem:
            problems[ticker] = problem
    return list(known), problems


async def _stored(backend: Backend, tickers: list[str]) -> tuple[list[msgspec.Raw], list[FailureAnswer]]:
    latest = await backend.prepared.many(tickers)
    missing = [
        FailureAnswer(ticker, "no_prediction", f"{ticker} has not been predicted yet", "wait for its next quote")
        for ticker in tickers
        if ticker not in latest
    ]
    return [msgspec.Raw(latest[ticker]) for ticker in tickers if ticker in latest], missing


async def _fresh(backend: Backend, tickers: list[str]) -> tuple[list[msgspec.Raw], list[FailureAnswer]]:
    last = await backend.reader.latest(tickers)

    async def ask(ticker: str) -> Number | FailureAnswer:
        model_type = last[ticker].prediction.model_type if ticker in last else "normal"
        seconds = backend.settings.api.fresh_timeout_seconds
        try:
            result = await backend.asker.predict(ticker, model_type, seconds)
        except TimeoutError:
            step = "see `riskee status` for predict, or ask without `fresh`"
            return FailureAnswer(ticker, "timeout", f"no prediction within {seconds} s", step)
        if isinstance(result, Prediction):
            return backend.reader.judge(result, backend.clock.now())
        return failure_answer(result)

    results = await asyncio.gather(*map(ask, tickers))
    return (
        [msgspec.Raw(encoded(prediction_answer(result))) for result in results if isinstance(result, Number)],
        [result for result in results if isinstance(result, FailureAnswer)],
    )


def _as_failure(ticker: str, problem: ProblemError) -> FailureAnswer:
    return FailureAnswer(ticker, problem.kind, problem.cause, problem.next_step)


def _nothing(failures: list[FailureAnswer], problems: dict[str, ProblemError]) -> ProblemError:
    """The problem that stands for a batch in which nothing could be predicted."""
    if len(problems) == len(failures):
        return next(iter(problems.values()))
    first = failures[-1]
    status = HTTPStatus.GATEWAY_TIMEOUT if first.status == "timeout" else HTTPStatus.SERVICE_UNAVAILABLE
    return ProblemError(status, first.status, first.detail, first.next_step, failures=failures)
