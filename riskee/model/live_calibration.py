"""Whether the probabilities that were published came true."""

from dataclasses import dataclass

import numpy as np
from psycopg import sql
from sqlalchemy import Connection

from riskee.market.bars import Floats
from riskee.model.evaluation import BINS, equal_bins
from riskee.model.live_record import ALL
from riskee.model.uncertainty import estimate_of_share
from riskee.storage.columns import read_columns

# A share of fewer says next to nothing.
_BIN_OUTCOMES = 10
_SAID = sql.SQL("""
SELECT outcome_session - DATE '1970-01-01', p_up, CAST(rose AS integer)
FROM marts.prediction_outcomes
WHERE {ticker} IN (ticker, '*')
""")


@dataclass(frozen=True)
class CalibrationBin:
    """Outcomes of nearly equal probability: the mean of what was said, and the share that rose, with its interval of
    95 %, which counts sessions; none of fewer than two sessions."""

    n: int
    sessions: int
    p_mean: float
    rose: float
    rose_low: float | None
    rose_high: float | None


def calibration(connection: Connection, ticker: str = ALL) -> list[CalibrationBin]:
    """What was said of a ticker, or of all, and what happened: at most ten bins with equal numbers of outcomes, and of
    few outcomes so many that each has ten."""
    rows = read_columns(connection, _SAID.format(ticker=ticker), 3)
    if not len(rows):
        return []
    number = equal_bins(rows[:, 1], min(BINS, max(1, len(rows) // _BIN_OUTCOMES)))
    return [_bin(rows[number == one]) for one in range(number.max() + 1)]


def _bin(rows: Floats) -> CalibrationBin:
    session, rose = rows[:, 0].astype(np.int64), rows[:, 2]
    share = float(rose.mean())
    found = estimate_of_share(share, rose - share, session)
    low, high = (found.low, found.high) if found else (None, None)
    said = round(float(rows[:, 1].mean()), 6)
    return CalibrationBin(len(rows), len(np.unique(session)), said, round(share, 6), low, high)
