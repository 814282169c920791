"""What moved a published prediction: the model's own attributions on the very features that it was made from."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection, select

from riskee.errors import PoisonError, RetryableError
from riskee.explanation.attribution import drivers_of
from riskee.features.definitions import EARNINGS_FEATURES
from riskee.logs import get_logger
from riskee.messaging.explanations import Driver
from riskee.messaging.messages import Prediction, Quote
from riskee.model.predictor import Predictor
from riskee.model.registry import load_model
from riskee.settings import ModelSettings
from riskee.storage import keys
from riskee.storage.cache import Cache, decoded
from riskee.storage.database import database_errors
from riskee.storage.tables import quotes
from serving.consumers.knowledge import Knowledge
from serving.consumers.lookups import Lookups

# Contributions add up to the expected return; another prediction's features would not.
_TOLERANCE = 1e-9
_KEPT_MODELS = 4

_log = get_logger(__name__)


@dataclass
class Attributions:
    """Finds the features of a prediction: in the cache while they are there, else computed again from the database."""

    cache: Cache
    knowledge: Knowledge
    lookups: Lookups
    settings: ModelSettings
    drivers: int
    _predictors: dict[str, Predictor] = field(default_factory=dict)
    # Several lookups read the models at the same time, each in its thread.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def of(self, prediction: Prediction) -> tuple[Driver, ...]:
        """The drivers; none where the prediction's features or model are gone."""
        try:
            predictor = await self.lookups.of(self._predictor, prediction.model_version)
            for source in (self._cached, self._computed):
                features = await source(prediction)
                drivers = self._drivers(predictor, prediction, features) if features else None
                if drivers is not None:
                    return drivers
        except (RetryableError, PoisonError) as error:
            _log.warning("no attributions", ticker=prediction.ticker, cause=str(error))
            return ()
        _log.warning("no attributions", ticker=prediction.ticker, cause="its features are neither cached nor recorded")
        return ()

    def _predictor(self, version: str) -> Predictor:
        """Raises NotFoundError for a model that the registry does not have."""
        with self._lock:
            kept = self._predictors.get(version)
        if kept is not None:
            return kept
        # Without the lock: a database that hangs holds up nobody whose model is here.
        with database_errors(), self.knowledge.engine.connect() as connection:
            artifact = load_model(connection, version)
        predictor = Predictor(artifact, self.settings.threads)
        with self._lock:
            while len(self._predictors) >= _KEPT_MODELS:
                del self._predictors[next(iter(self._predictors))]
            self._predictors[version] = predictor
        return predictor

    def _drivers(
        self, predictor: Predictor, prediction: Prediction, features: Mapping[str, float]
    ) -> tuple[Driver, ...] | None:
        if not features.keys() >= set(predictor.artifact.features):
            return None
        row = np.array([[features[name] for name in predictor.artifact.features]])
        contributions = predictor.contributions(row).tolist()
        if not math.isclose(math.fsum(contributions), prediction.expected_return, rel_tol=1e-6, abs_tol=_TOLERANCE):
            return None
        return drivers_of(prediction.model_type, features, contributions, self.drivers)

    async def _cached(self, prediction: Prediction) -> dict[str, float] | None:
        try:
            body = await self.cache.body(keys.FEATURES, ticker=prediction.ticker)
        except RetryableError as error:
            _log.warning("computing features again", cause=str(error))
            return None
        features = decoded(body, dict[str, float | None])
        if features is None:
            return None
        return {name: math.nan if value is None else value for name, value in features.items()}

    async def _computed(self, prediction: Prediction) -> dict[str, float] | None:
        return await self.lookups.of(self._compute, prediction)

    def _compute(self, prediction: Prediction) -> dict[str, float] | None:
        with database_errors(), self.knowledge.engine.connect() as connection:
            running = _running_quotes(connection, prediction, self.settings.market_ticker)
        if not running or running[-1].ticker != prediction.ticker:
            return None
        forecaster = self.knowledge.forecaster(prediction.session_date, prediction.feed, prediction.ticker.__eq__)
        forecaster.take([quote for quote in running if forecaster.knows(quote)])
        row = np.array([forecaster.state.index_of[prediction.ticker]])
        earnings = forecaster.earnings.features(row, np.datetime64(prediction.session_date, "D"))
        values = np.hstack([forecaster.state.features(row), earnings])[0]
        return dict(zip(EARNINGS_FEATURES, values.tolist(), strict=True))


def _running_quotes(connection: Connection, prediction: Prediction, market_ticker: str) -> list[Quote]:
    """The market's last quote of the session when the prediction's quote came, if any, then that quote."""
    columns = [quotes.c[name] for name in Quote.__struct_fields__]
    own = select(*columns).where(
        quotes.c.quote_id == prediction.quote_id, quotes.c.received_at == prediction.prediction_time
    )
    market = (
        select(*columns)
        .where(
            quotes.c.ticker == market_ticker,
            quotes.c.feed == prediction.feed,
            quotes.c.session_date == prediction.session_date,
            quotes.c.received_at <= prediction.prediction_time,
            quotes.c.data_time <= prediction.data_time,
        )
        .order_by(quotes.c.received_at.desc())
        .limit(1)
    )
    rows = [*connection.execute(market), *connection.execute(own)]
    return [Quote(**row._mapping) for row in rows]
