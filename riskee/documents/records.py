"""The stored data that documents are made from."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import distinct_on

from riskee.documents.history import History, histories
from riskee.documents.prediction_context import PastPrediction
from riskee.settings import Settings
from riskee.storage.bars import bar_sources, last_sessions
from riskee.storage.recent_bars import recent_bars
from riskee.storage.sessions import read_sessions
from riskee.storage.tables import earnings_calendar, track_record

YEARS = 3
_SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class MarketRecord:
    """Bars of every stock and of the market; `since` is the first day that documents tell of."""

    stocks: tuple[History, ...]
    market: History | None
    since: date


def market_record(connection: Connection, settings: Settings) -> MarketRecord:
    """The bars of the replay, or of the newest session, and of `YEARS` before it, with one more year for the longest
    windows."""
    live = max(1, settings.feed.held_out_sessions)
    sessions = last_sessions(connection, live)
    if not sessions:
        return MarketRecord((), None, date.max)
    count = live + (YEARS + 1) * _SESSIONS_A_YEAR
    bars = recent_bars(connection, sessions[-1] + timedelta(days=1), count)
    sources = {
        ticker: [(first, f"daily bars: {source}") for first, source in changes]
        for ticker, changes in bar_sources(connection, np.fmin.reduce(bars.session, axis=None).item()).items()
    }
    closes = {session.session_date: session.closes_at for session in read_sessions(connection)}
    found = {history.ticker: history for history in histories(bars, closes, sources)}
    market = found.pop(settings.model.market_ticker, None)
    return MarketRecord(
        stocks=tuple(found.values()),
        market=market if market and market.sessions else None,
        since=sessions[0] - timedelta(days=365 * YEARS),
    )


def published_predictions(connection: Connection, since: date) -> list[PastPrediction]:
    """From the track record: of each ticker, session and model type the last prediction, with its outcome."""
    row = track_record.c
    key = (row.ticker, row.session_date, row.model_type)
    rows = connection.execute(
        select(*key, row.expected_return, row.p_up, row.realised_return, row.data_time)
        .ext(distinct_on(*key))
        .where(row.session_date >= since)
        .order_by(*key, row.data_time.desc(), row.sequence.desc())
    )
    return [PastPrediction(*found) for found in rows]


def report_sources(connection: Connection) -> dict[tuple[str, date], str]:
    """For each ticker and report date, where the report is from."""
    row = earnings_calendar.c
    rows = connection.execute(select(row.ticker, row.report_date, row.source))
    return {(ticker, day): f"report dates: {source}" for ticker, day, source in rows}
