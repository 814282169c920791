"""Reading predictions and explanations: from the cache, and from the database where it has none."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from riskee.clock import Clock
from riskee.errors import NotFoundError, RetryableError
from riskee.explanation import prompt
from riskee.explanation.lasting import lasts
from riskee.logs import get_logger
from riskee.messaging.explanations import Explanation
from riskee.messaging.messages import Prediction
from riskee.messaging.statuses import Status
from riskee.storage import keys
from riskee.storage.cache import Cache, decoded
from riskee.storage.explanations import explanation_of
from riskee.storage.history import PastPrediction, Wanted, past_predictions
from riskee.storage.predictions import find_prediction, latest_predictions
from serving.api.bounded import IMPATIENT_SECONDS, PATIENT_SECONDS, Bounded
from serving.api.standing import Number, Reason, Standings, judged
from serving.database import Database

_log = get_logger(__name__)


@dataclass
class Reader:
    """Answers with what is known already; computes nothing."""

    cache: Cache
    database: Database
    clock: Clock
    stale_after_seconds: float
    standings: Standings
    # The language model that explains.
    llm: str
    # An outage is worth one line in the log, not one a request.
    _cache_away: bool = False

    def __post_init__(self) -> None:
        self._predictions = Bounded(self.database)
        self._explanations = Bounded(self.database)
        self._past = Bounded(self.database)

    async def latest(self, tickers: Sequence[str]) -> dict[str, Number]:
        """The latest prediction of each ticker that has one, with all that is against it: `stale` where it is old or
        not from the cache, and what happened since it was made.

        Raises RetryableError where neither the cache nor the database answers.
        """
        found = await self.cached(tickers)
        missing = [ticker for ticker in tickers if ticker not in found]
        stored = await self.missing(missing, others=bool(found))
        now = self.clock.now()
        return {
            ticker: self.judge(prediction, now, current=ticker in found)
            for ticker, prediction in (found | stored).items()
        }

    def judge(self, prediction: Prediction, now: datetime, *, current: bool = True) -> Number:
        """The prediction with all that is against it now; not `current`: there may be a newer one."""
        return judged(prediction, self.reasons(prediction, now, current=current))

    def reasons(self, prediction: Prediction, now: datetime, *, current: bool = True) -> list[Reason]:
        """What is against a prediction now, besides its own flags."""
        reasons = self.standings.reasons(prediction)
        stale_at = prediction.prediction_time + timedelta(seconds=self.stale_after_seconds)
        if now > stale_at or not current:
            reasons.append(Reason(Status.STALE, min(stale_at, now)))
        return reasons

    async def cached(self, tickers: Sequence[str]) -> dict[str, Prediction]:
        """The cached predictions, of those that the cache has; none where it is away."""
        bodies = await self.bodies(tickers)
        decodable = {ticker: decoded(body, Prediction) for ticker, body in bodies.items()}
        return {ticker: prediction for ticker, prediction in decodable.items() if prediction is not None}

    async def bodies(self, tickers: Sequence[str]) -> dict[str, bytes]:
        """The cached predictions as JSON, of those that the cache has; none where it is away."""
        try:
            bodies = await self.cache.bodies(keys.PREDICTION, [{"ticker": ticker} for ticker in tickers])
        except RetryableError as error:
            if not self._cache_away:
                _log.warning("answering from the database", cause=str(error))
            self._cache_away = True
            return {}
        self._cache_away = False
        return {ticker: body for ticker, body in zip(tickers, bodies, strict=True) if body is not None}

    async def missing(self, tickers: Sequence[str], *, others: bool) -> dict[str, Prediction]:
        """As `stored`, of those that the cache has not. Where it has `others`, they are served without a database that
        is away, or that hangs."""
        if not tickers:
            return {}
        try:
            return await self.stored(tickers, IMPATIENT_SECONDS if others else PATIENT_SECONDS)
        except RetryableError:
            if not others:
                raise
            return {}

    async def stored(self, tickers: Sequence[str], seconds: float = PATIENT_SECONDS) -> dict[str, Prediction]:
        """The latest predictions in the database. Raises RetryableError where it does not answer in time."""
        now = self.clock.now()
        return await self._predictions.run(lambda connection: latest_predictions(connection, tickers, now), seconds)

    async def explanation(self, prediction: Prediction) -> Explanation | None:
        """The explanation of a prediction, where there is one already that lasts: of this prompt and model, or a
        template's of the last minute. Whether its facts still hold is known to explain only, which is also asked where
        neither the cache nor the database answers."""
        try:
            body = await self.cache.body(keys.EXPLANATION, ticker=prediction.ticker, ts=prediction.prediction_time)
        except RetryableError as error:
            _log.warning("looking for the explanation in the database", cause=str(error))
            body = None
        cached = decoded(body, Explanation)
        # The key names the moment; a quote may have a prediction of each model type.
        if cached is not None and cached.prediction_id == prediction.prediction_id and self._lasts(cached):
            return cached
        wanted = prediction.prediction_id
        try:
            stored = await self._explanations.run(
                lambda connection: explanation_of(connection, wanted), IMPATIENT_SECONDS
            )
        except RetryableError as error:
            _log.warning("asking for the explanation anew", cause=str(error))
            return None
        return stored if stored is not None and self._lasts(stored) else None

    def _lasts(self, found: Explanation) -> bool:
        return lasts(found, prompt.VERSION, self.llm, self.clock.now())

    async def prediction(self, prediction_id: uuid.UUID) -> Prediction:
        """A stored prediction. Raises NotFoundError, and RetryableError where the database does not answer in time."""
        return await self._explanations.run(
            lambda connection: find_prediction(connection, prediction_id), PATIENT_SECONDS
        )

    async def explained(self, prediction_id: uuid.UUID) -> tuple[Explanation | None, Prediction | None]:
        """The stored explanation of a prediction, and that where it is still kept; at least one of them. Raises as
        `prediction`."""
        return await self._explanations.run(lambda connection: _explained(connection, prediction_id), PATIENT_SECONDS)

    async def past(self, wanted: Wanted, limit: int) -> list[PastPrediction]:
        """As `past_predictions`. Raises RetryableError where the database does not answer in time."""
        return await self._past.run(lambda connection: past_predictions(connection, wanted, limit), PATIENT_SECONDS)


def _explained(connection: Connection, prediction_id: uuid.UUID) -> tuple[Explanation | None, Prediction | None]:
    explanation = explanation_of(connection, prediction_id)
    try:
        prediction = find_prediction(connection, prediction_id)
    except NotFoundError:
        if explanation is None:
            raise
        return explanation, None
    return explanation, prediction
