"""Reading predictions and explanations: from the cache, and from the database where it has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Row, select

from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.messaging.explanations import Driver, Explanation, SourceDocument
from riskee.messaging.messages import Prediction
from riskee.messaging.statuses import Status
from riskee.storage import keys
from riskee.storage.cache import Cache, decoded
from riskee.storage.predictions import latest_predictions
from riskee.storage.tables import explanations
from serving.api.standing import Number, Reason, Standings, judged
from serving.database import Database

_log = get_logger(__name__)


@dataclass(frozen=True)
class Reader:
    """Answers with what is known already; computes nothing."""

    cache: Cache
    database: Database
    clock: Clock
    stale_after_seconds: float
    standings: Standings

    async def latest(self, tickers: Sequence[str]) -> dict[str, Number]:
        """The latest prediction of each ticker that has one, with all that is against it: `stale` where it is old or
        not from the cache, and what happened since it was made.

        Raises RetryableError where neither the cache nor the database answers.
        """
        found = await self._cached(tickers)
        missing = [ticker for ticker in tickers if ticker not in found]
        stored = await self._stored(missing) if missing else {}
        now = self.clock.now()
        return {
            ticker: self.judge(prediction, now, current=ticker in found)
            for ticker, prediction in (found | stored).items()
        }

    def judge(self, prediction: Prediction, now: datetime, *, current: bool = True) -> Number:
        """The prediction with all that is against it now; not `current`: there may be a newer one."""
        reasons = self.standings.reasons(prediction)
        stale_at = prediction.prediction_time + timedelta(seconds=self.stale_after_seconds)
        if now > stale_at or not current:
            reasons.append(Reason(Status.STALE, min(stale_at, now)))
        return judged(prediction, reasons)

    async def _cached(self, tickers: Sequence[str]) -> dict[str, Prediction]:
        try:
            bodies = await self.cache.bodies(keys.PREDICTION, [{"ticker": ticker} for ticker in tickers])
        except RetryableError as error:
            _log.warning("answering from the database", cause=str(error))
            return {}
        found = {ticker: decoded(body, Prediction) for ticker, body in zip(tickers, bodies, strict=True)}
        return {ticker: prediction for ticker, prediction in found.items() if prediction is not None}

    async def _stored(self, tickers: Sequence[str]) -> dict[str, Prediction]:
        now = self.clock.now()
        return await self.database.run(lambda connection: latest_predictions(connection, tickers, now))

    async def explanation(self, prediction: Prediction) -> Explanation | None:
        """The explanation of a prediction, where there is one already."""
        try:
            body = await self.cache.body(keys.EXPLANATION, ticker=prediction.ticker, ts=prediction.prediction_time)
        except RetryableError as error:
            _log.warning("looking for the explanation in the database", cause=str(error))
            body = None
        cached = decoded(body, Explanation)
        # The key names the moment; a quote may have a prediction of each model type.
        if cached is not None and cached.prediction_id == prediction.prediction_id:
            return cached
        statement = select(explanations).where(explanations.c.prediction_id == prediction.prediction_id)
        latest = statement.order_by(explanations.c.created_at.desc()).limit(1)
        row = await self.database.run(lambda connection: connection.execute(latest).one_or_none())
        return None if row is None else _explanation(row)


def _explanation(row: Row[tuple[object, ...]]) -> Explanation:
    values = dict(row._mapping)
    drivers = msgspec.convert(values.pop("drivers"), tuple[Driver, ...])
    sources = msgspec.convert(values.pop("sources"), tuple[SourceDocument, ...])
    return Explanation(**values, drivers=drivers, sources=sources)
