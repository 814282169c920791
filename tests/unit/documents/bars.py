"""Bars made for the tests of documents."""

from datetime import UTC, date, datetime, timedelta

import numpy as np

from riskee.documents.history import History, histories
from riskee.market.bars import BarMatrix, Floats

FIRST = date(2010, 1, 1)
SOURCES = {"AAPL": "bars of AAPL", "SPX": "bars of SPX"}
FROM = {ticker: [(FIRST, source)] for ticker, source in SOURCES.items()}


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def closed(number: int) -> datetime:
    return datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=21)


def history(close: Floats, ticker: str = "AAPL", volume: Floats | None = None, open_: Floats | None = None) -> History:
    """One ticker's history from its closes; every day is a session."""
    row = close[None, :].astype(np.float64)
    traded = np.full_like(row, 1000.0) if volume is None else volume[None, :].astype(np.float64)
    sessions = np.array([day(number) for number in range(len(close))], dtype="datetime64[D]")[None, :]
    opened = row if open_ is None else open_[None, :]
    bars = BarMatrix((ticker,), sessions, opened, row, row, row, traded, np.ones_like(row))
    return histories(bars, {day(number): closed(number) for number in range(len(close))}, FROM)[0]


def wobble(count: int, size: float = 0.01) -> Floats:
    """Closes that move up and down by the same small step around 100."""
    return np.asarray(100 * np.exp(np.where(np.arange(count) % 2 == 0, 0.0, size)))
