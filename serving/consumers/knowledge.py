"""What predict knows from the database: the state of all tickers before a session, the calendar, the champions."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from sqlalchemy import Connection, Engine

from riskee.features.definitions import WARM_UP_BARS
from riskee.features.kernel import FeatureState
from riskee.market.bars import BarMatrix
from riskee.messaging.messages import ModelType, Quote
from riskee.model.artifact import ModelArtifact
from riskee.model.registry import champion
from riskee.settings import ModelSettings
from riskee.storage.bars import newest_recording
from riskee.storage.calendar import calendar_mark
from riskee.storage.database import database_errors
from riskee.storage.last_quotes import closing_quotes, newest_quotes, session_quotes
from riskee.storage.recent_bars import CHUNK, bars_of, known_tickers
from serving.consumers.calendar import Calendar, read_calendar
from serving.consumers.forecasting import Forecaster
from serving.consumers.tail import own_time

# Sessions without stored bars that a feed's recorded quotes stand in for: six weeks.
_STOOD_IN = 30


def forecaster_before(
    connection: Connection,
    settings: ModelSettings,
    before: date,
    *,
    only: Collection[str] | None = None,
    stored: datetime | None = None,
) -> Forecaster:
    """The state from the bars strictly before a session: of all tickers as they are now, or of some (`only`) in the
    versions that were recorded by a moment (`stored`)."""
    tickers = known_tickers(connection, only)
    state = FeatureState(BarMatrix.empty(tickers), settings.market_ticker)
    market = tuple(ticker for ticker in tickers if ticker == settings.market_ticker)
    for chunk in (market, *(tickers[start : start + CHUNK] for start in range(0, len(tickers), CHUNK))):
        state.load(bars_of(connection, chunk, before, WARM_UP_BARS, stored))
    calendar = read_calendar(connection, state, settings.earnings_window_sessions)
    return Forecaster(
        state=state,
        earnings=calendar.earnings,
        unreported=calendar.unreported,
        sessions=calendar.sessions,
        market_ticker=settings.market_ticker,
        bars_as_of=stored,
        calendar_mark=calendar.mark,
    )


def _stand_in(
    connection: Connection, forecaster: Forecaster, feed: str, before: date, unrecorded: Collection[Quote]
) -> None:
    """Go on from each ticker's last bar with the feed's quotes of the sessions since, as predict did when they came."""
    state, place = forecaster.state, np.searchsorted(forecaster.sessions, np.datetime64(before, "D"))
    reached = state.sessions(np.arange(len(state.tickers)))
    for day in forecaster.sessions[max(0, place - _STOOD_IN) : place]:
        missing = {state.tickers[row] for row in np.flatnonzero(~(reached >= day))}
        last = {quote.ticker: quote for quote in closing_quotes(connection, feed, day.item(), missing)}
        for quote in unrecorded:
            if quote.session_date == day.item() and quote.ticker in missing:
                last[quote.ticker] = max(last.get(quote.ticker, quote), quote, key=own_time)
        if last:
            forecaster.take([*last.values()])


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

    def forecaster(
        self, before: date, feed: str, owns: Callable[[str], bool], unrecorded: Collection[Quote] = ()
    ) -> Forecaster:
        """The state of the owned tickers and the market from all that came before a session: their bars, and the
        feed's quotes of the sessions of which no bars are stored yet, with those that are not recorded yet."""
        with self._connection() as connection:
            only = {*filter(owns, known_tickers(connection)), self.settings.market_ticker}
            forecaster = forecaster_before(connection, self.settings, before, only=only)
            forecaster.bars_as_of = newest_recording(connection)
            _stand_in(connection, forecaster, feed, before, unrecorded)
        return forecaster

    def newest_recording(self) -> datetime | None:
        """When the newest bar was stored."""
        with self._connection() as connection:
            return newest_recording(connection)

    def newer_calendar(self, forecaster: Forecaster) -> Calendar | None:
        """The calendar for a forecaster's state; None where it is as the forecaster has it."""
        with self._connection() as connection:
            if calendar_mark(connection) == forecaster.calendar_mark:
                return None
            return read_calendar(connection, forecaster.state, self.settings.earnings_window_sessions)

    def champion(self, model_type: ModelType) -> ModelArtifact | None:
        """The champion of a model type, if there is one. Raises PoisonError where it was altered."""
        with self._connection() as connection:
            return champion(connection, model_type)

    def latest_quotes(self, tickers: Collection[str]) -> list[Quote]:
        """The newest quote of each ticker that was recorded."""
        with self._connection() as connection:
            return newest_quotes(connection, tickers)

    def newest_quotes(self) -> list[Quote]:
        """The newest quote of each known ticker that was recorded."""
        with self._connection() as connection:
            return newest_quotes(connection, known_tickers(connection))

    def session_quotes(self, feed: str, day: date, tickers: Collection[str], until: datetime) -> list[Quote]:
        """Each ticker's last quote of a session, by its own time, of those that a feed had brought until a moment."""
        with self._connection() as connection:
            return session_quotes(connection, feed, day, tickers, until)
