"""Bars for tests: correct ones, to be spoilt by the test."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from riskee.market.sessions import Session

# The week of 2 July 2012; the fourth was a holiday.
DAYS = ("2012-07-02", "2012-07-03", "2012-07-05", "2012-07-06")
SESSIONS = [
    Session(
        datetime.fromisoformat(day).date(),
        datetime.fromisoformat(f"{day}T13:30+00:00"),
        datetime.fromisoformat(f"{day}T20:00+00:00"),
    )
    for day in DAYS
]
NOW = datetime(2012, 7, 9, 12, tzinfo=UTC)


def bars(tickers: tuple[str, ...] = ("AAPL",), **columns: Any) -> pd.DataFrame:
    """Four sessions of each ticker; `columns` replaces whole columns."""
    frame = pd.DataFrame(
        {
            "ticker": [ticker for ticker in tickers for _ in DAYS],
            "session": pd.to_datetime(list(DAYS) * len(tickers)).astype("datetime64[us]"),
            "open": 10.0,
            "high": 11.0,
            "low": 9.0,
            "close": 10.5,
            "volume": 1000.0,
            "adjustment_factor": 0.5,
            "dividend": 0.0,
            "split": 1.0,
        }
    )
    return frame.assign(**columns)
