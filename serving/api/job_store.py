"""Jobs as Redis keeps them: they outlive the process that works on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from riskee.messaging.messages import Prediction
from riskee.storage import keys
from riskee.storage.cache import Cache, decoded
from riskee.storage.entries import Entry
from serving.api.answers import FailureAnswer

# Lua takes some thousand arguments at once.
_FIELDS = 500
_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True):
    """What a job is for, and who asked."""

    job_id: UUID
    caller: str
    requested_at: datetime
    tickers: tuple[str, ...]


class Result(msgspec.Struct, frozen=True):
    """What became of one ticker: one of the two."""

    prediction: Prediction | None = None
    failure: FailureAnswer | None = None


Results = dict[str, Result]


@dataclass(frozen=True)
class JobStore:
    """The hashes `job:{job_id}`: what was asked under `body`, each result under its ticker."""

    cache: Cache

    async def write(self, asked: Asked, results: Mapping[str, Result]) -> None:
        """Write a job and these results of it. Raises RetryableError where the cache does not answer."""
        parts = {"job_id": str(asked.job_id)}
        fields = [(ticker, _encode(result)) for ticker, result in results.items()]
        chunks = [dict(fields[start : start + _FIELDS]) for start in range(0, len(fields), _FIELDS)]
        entries = [Entry.of(keys.JOB, parts, chunk) for chunk in ({keys.BODY: _encode(asked)}, *chunks)]
        await self.cache.write(entries)

    async def read(self, job_id: UUID) -> tuple[Asked, Results] | None:
        """A job and its results so far; None where there is none. Raises as `write`."""
        fields = await self.cache.whole(keys.JOB, job_id=str(job_id))
        asked = decoded(fields.pop(keys.BODY, None), Asked)
        if asked is None:
            return None
        results = {ticker: decoded(body, Result) for ticker, body in fields.items()}
        return asked, {ticker: result for ticker, result in results.items() if result is not None}

    async def computed_since(self, asked: Asked, results: Mapping[str, Result]) -> Results:
        """Of the tickers without a result those that the cache has a prediction of, computed after the job began."""
        missing = [ticker for ticker in asked.tickers if ticker not in results]
        if not missing:
            return {}
        bodies = await self.cache.bodies(keys.PREDICTION, [{"ticker": ticker} for ticker in missing])
        found = {ticker: decoded(body, Prediction) for ticker, body in zip(missing, bodies, strict=True)}
        return {
            ticker: Result(prediction)
            for ticker, prediction in found.items()
            if prediction is not None and prediction.as_of >= asked.requested_at
        }
