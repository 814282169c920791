"""What predict knows from the database: the state of all tickers before a session, the calendar, the champions."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from sqlalchemy import Connection, Engine, text

from riskee.features.definitions import WARM_UP_BARS
from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.market.bars import BarMatrix
from riskee.messaging.messages import ModelType, Quote
from riskee.model.artifact import ModelArtifact
from riskee.model.registry import champion
from riskee.settings import ModelSettings
from riskee.storage.bars import newest_recording, recent_bars
from riskee.storage.calendar import reports
from riskee.storage.database import database_errors
from riskee.storage.sessions import read_sessions
from riskee.storage.tables import quotes
from serving.consumers.forecasting import Forecaster


def forecaster_before(
    connection: Connection,
    settings: ModelSettings,
    before: date,
    *,
    only: Collection[str] | None = None,
    stored: datetime | None = None,
) -> tuple[Forecaster, BarMatrix]:
    """The state from the bars strictly before a session, and these bars: of all tickers as they are now, or of some
    (`only`) in the versions that were recorded by a moment (`stored`)."""
    bars = recent_bars(connection, before, WARM_UP_BARS, only=only, stored=stored)
    known = reports(connection)
    days = np.array([session.session_date for session in read_sessions(connection)], dtype="datetime64[D]")
    state = FeatureState(bars, settings.market_ticker)
    forecaster = Forecaster(
        state=state,
        earnings=EarningsFeatures(known, days, state, settings.earnings_window_sessions),
        unreported=frozenset(ticker for ticker in bars.tickers if ticker not in known),
        sessions=days,
        market_ticker=settings.market_ticker,
        bars_as_of=stored,
    )
    return forecaster, bars


@dataclass(frozen=True)
class Knowledge:
    """Reads the database. Every method blocks: call it in a thread. Raises RetryableError where it is away."""

    engine: Engine
    settings: ModelSettings

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        # One snapshot for all that is read together.
        with database_errors(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ")

    def forecaster(self, before: date) -> Forecaster:
        """The state of every ticker from its bars strictly before a session."""
        with self._connection() as connection:
            forecaster, _ = forecaster_before(connection, self.settings, before)
            forecaster.bars_as_of = newest_recording(connection)
        return forecaster

    def newest_recording(self) -> datetime | None:
        """When the newest bar was stored."""
        with self._connection() as connection:
            return newest_recording(connection)

    def champion(self, model_type: ModelType) -> ModelArtifact | None:
        """The champion of a model type, if there is one. Raises PoisonError where it was altered."""
        with self._connection() as connection:
            return champion(connection, model_type)

    def latest_quote(self, ticker: str) -> Quote | None:
        """The newest quote of a ticker that was recorded."""
        return next(iter(self._quotes("ticker = :ticker", "true", {"ticker": ticker})), None)

    def latest_quotes(self, until: datetime) -> list[Quote]:
        """The newest recorded quote of every ticker that has one, of those that tell of no later time than `until`."""
        return self._quotes("true", "data_time <= :until", {"until": until})

    def _quotes(self, tickers: str, chosen: str, parameters: dict[str, object]) -> list[Quote]:
        # One index probe a ticker: milliseconds, however many quotes there are.
        statement = text(
            f"SELECT latest.* FROM (SELECT ticker FROM tickers WHERE {tickers}) AS wanted"  # noqa: S608 (our own texts)
            f" CROSS JOIN LATERAL (SELECT * FROM quotes WHERE quotes.ticker = wanted.ticker AND {chosen}"
            " ORDER BY received_at DESC LIMIT 1) AS latest"
        ).columns(*quotes.columns)
        with self._connection() as connection:
            rows = connection.execute(statement, parameters)
            return [Quote(**row) for row in rows.mappings()]
