"""The REST routes."""

import asyncio
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from riskee.messaging.messages import Prediction
from riskee.telemetry import EXPOSITION_TYPE, exposition
from serving.api.answers import (
    JSON,
    BatchAnswer,
    ExplanationAnswer,
    FailureAnswer,
    HealthAnswer,
    PredictionAnswer,
    StatusAnswer,
    TickerAnswer,
    answers,
    explanation_answer,
    failure_answer,
    health_answers,
    prediction_answer,
    status_answers,
)
from serving.api.backend import Backend
from serving.api.problems import ProblemError
from serving.api.standing import Number

router = APIRouter()
_encoder = msgspec.json.Encoder()


class PredictRequest(BaseModel):
    """Which tickers to predict."""

    model_config = ConfigDict(extra="forbid")

    tickers: Annotated[list[str], Field(min_length=1, max_length=1000, examples=[["AAPL", "IBM"]])]
    fresh: Annotated[bool, Field(description="compute now, from the latest quote, instead of reading the last one")] = (
        False
    )


def _json(answer: object) -> Response:
    return Response(_encoder.encode(answer), media_type=JSON)


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


@router.get("/predict/{ticker}", responses=answers(PredictionAnswer, 404), tags=["predictions"])
async def predict(request: Request, ticker: str) -> Response:
    """The latest prediction of a ticker."""
    backend = _backend(request)
    return _json(prediction_answer(await _latest(backend, ticker)))


async def _latest(backend: Backend, ticker: str) -> Number:
    wanted = await backend.directory.predicted(ticker)
    number = (await backend.reader.latest([wanted])).get(wanted)
    if number is None:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "no_prediction",
            f"{wanted} has not been predicted yet",
            "wait for the feed's next quote; `riskee status` shows whether ingest and predict run",
        )
    return number


@router.post("/predict", responses=answers(BatchAnswer, 404, 422, 504), tags=["predictions"])
async def predict_batch(request: Request, wanted: PredictRequest) -> Response:
    """The latest predictions of several tickers, or fresh ones.

    What cannot be predicted is among `failures`; only where nothing can, the answer is a problem.
    """
    backend = _backend(request)
    tickers, problems = await _known(backend, wanted.tickers)
    if tickers and wanted.fresh:
        predictions, failures = await _fresh(backend, tickers)
    else:
        predictions, failures = await _stored(backend, tickers)
    failures = [*(_as_failure(ticker, problem) for ticker, problem in problems.items()), *failures]
    if not predictions:
        raise _nothing(failures, problems)
    return _json(BatchAnswer(tuple(map(prediction_answer, predictions)), tuple(failures)))


async def _known(backend: Backend, tickers: list[str]) -> tuple[list[str], dict[str, ProblemError]]:
    known: dict[str, None] = {}
    problems: dict[str, ProblemError] = {}
    for ticker in tickers:
        try:
            known[await backend.directory.predicted(ticker)] = None
        except ProblemError as problem:
            problems[ticker] = problem
    return list(known), problems


async def _stored(backend: Backend, tickers: list[str]) -> tuple[list[Number], list[FailureAnswer]]:
    latest = await backend.reader.latest(tickers)
    missing = [
        FailureAnswer(ticker, "no_prediction", f"{ticker} has not been predicted yet", "wait for its next quote")
        for ticker in tickers
        if ticker not in latest
    ]
    return [latest[ticker] for ticker in tickers if ticker in latest], missing


async def _fresh(backend: Backend, tickers: list[str]) -> tuple[list[Number], list[FailureAnswer]]:
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
        [result for result in results if isinstance(result, Number)],
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


@router.get("/explain/{ticker}", responses=answers(ExplanationAnswer, 404, 504), tags=["explanations"])
@router.post("/explain/{ticker}", responses=answers(ExplanationAnswer, 404, 504), tags=["explanations"])
async def explain(request: Request, ticker: str) -> Response:
    """Why the latest prediction of a ticker is what it is. Takes seconds where nobody asked before."""
    backend = _backend(request)
    number = await _latest(backend, ticker)
    known = await backend.reader.explanation(number.prediction)
    if known is not None:
        return _json(explanation_answer(known, number, cached=True))
    seconds = backend.settings.api.explain_timeout_seconds
    try:
        explanation = await backend.asker.explain(number.prediction, seconds)
    except TimeoutError as error:
        raise ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            "timeout",
            f"no explanation within {seconds} s",
            "see `riskee status` for explain and ollama, and ask again: the work goes on",
        ) from error
    return _json(explanation_answer(explanation, number, cached=False))


@router.get("/statuses", responses=answers(list[StatusAnswer]), tags=["predictions"])
async def statuses() -> Response:
    """What each status of a prediction means, and what to do; the gravest first."""
    return _json(status_answers())


@router.get("/tickers", responses=answers(list[TickerAnswer]), tags=["tickers"])
async def tickers(request: Request) -> Response:
    """All tickers that are known."""
    infos = await _backend(request).directory.infos()
    return _json([TickerAnswer(info.ticker, info.name, info.is_index, info.source) for info in infos])


@router.get("/health/live", tags=["health"])
async def live() -> Response:
    """The process answers."""
    return _json({"status": "ok"})


@router.get("/health/ready", responses=health_answers(), tags=["health"])
async def ready(request: Request) -> Response:
    """Whether predictions can be served, and the state of each dependency.

    Either of the cache and the database is enough to serve; with one away the status is `degraded`.
    """
    found = await _backend(request).check()
    serving = "ok" in (found["database"], found["redis"])
    body = HealthAnswer(
        service="api",
        status="ok" if set(found.values()) == {"ok"} else "degraded" if serving else "unavailable",
        dependencies=found,
    )
    return Response(_encoder.encode(body), media_type=JSON, status_code=200 if serving else 503)


@router.get("/metrics", tags=["health"])
async def metrics() -> Response:
    """Prometheus' metrics of this process."""
    return Response(exposition(), media_type=EXPOSITION_TYPE)
