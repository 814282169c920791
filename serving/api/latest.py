"""The latest prediction of one ticker."""

from http import HTTPStatus

from serving.api.backend import Backend
from serving.api.problems import ProblemError
from serving.api.ready import Ready
from serving.api.standing import Number


async def latest_answer(backend: Backend, ticker: str) -> Ready:
    """The latest prediction of a ticker as JSON. Raises as `latest_number`."""
    wanted = await backend.directory.predicted(ticker)
    answer = await backend.prepared.one(wanted)
    if answer is None:
        raise _none_yet(wanted)
    return answer


async def latest_number(backend: Backend, ticker: str) -> Number:
    """The latest prediction of a ticker. Raises ProblemError where it is not known or has none."""
    wanted = await backend.directory.predicted(ticker)
    number = (await backend.reader.latest([wanted])).get(wanted)
    if number is None:
        raise _none_yet(wanted)
    return number


def _none_yet(ticker: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "no_prediction",
        f"{ticker} has not been predicted yet",
        "wait for the feed's next quote; `riskee status` shows whether ingest and predict run",
    )
