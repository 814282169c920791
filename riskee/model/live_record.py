"""How the published predictions stand: the marts of the track record, which define what a hit is, read."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np
from psycopg import sql
from sqlalchemy import Connection, text

from riskee.errors import RetryableError
from riskee.messaging.messages import Accuracy
from riskee.model.uncertainty import Estimate, estimate_of_share
from riskee.storage.columns import read_columns

# Stands for all tickers, types or models in the mart `accuracy`.
ALL = "*"


@dataclass(frozen=True)
class Standing:
    """Scored predictions of a ticker and a model, or of all (`*`). Rates are shares; the interval is one of 95 %.

    `chance` is the hit rate of the better of always up and always down, `brier_of_share` the Brier score of always
    saying the share of rises: climatology, and one that knew it beforehand. `verdict` says how the hit rate compares
    with chance, `chance_low` is the lower end of the interval of chance.
    """

    ticker: str
    model_type: str
    model_version: str
    outcomes: int
    sessions: int
    hit_rate: float
    hit_rate_low: float
    hit_rate_high: float
    chance: float
    chance_low: float
    verdict: str
    brier: float
    brier_of_share: float


_MISSING = text("SELECT to_regclass('track_record') IS NOT NULL AND to_regclass('marts.accuracy') IS NULL")
_COLUMNS = ", ".join(field.name for field in fields(Standing))
_STANDINGS = text(f"SELECT {_COLUMNS} FROM marts.accuracy WHERE ticker = :ticker ORDER BY model_type, model_version")  # noqa: S608
_STANDING_BEFORE = text(f"""
SELECT {_COLUMNS} FROM marts.accuracy
WHERE ticker = :ticker AND model_version = :version AND newest_outcome < :session
""")  # noqa: S608
# For this transaction only. The mart counts outcomes of earlier sessions, then.
_KNOWN_BEFORE = text("SELECT set_config('riskee.known_before', :session, true)")
_TICKERS = text(f"SELECT {_COLUMNS} FROM marts.accuracy WHERE ticker <> '*' AND model_version = '*' ORDER BY ticker")  # noqa: S608
_INSIDE = sql.SQL("""
SELECT outcome_session - DATE '1970-01-01', CAST(NOT below AND NOT above AS integer)
FROM marts.prediction_outcomes
WHERE {ticker} IN (ticker, '*') AND {version} IN (model_version, '*')
""")


def has_marts(connection: Connection) -> bool:
    """Whether there is something to read: a fresh installation has none, and nothing that could be counted."""
    return not connection.scalar(_MISSING)


def _need_marts(connection: Connection) -> None:
    if not has_marts(connection):
        raise RetryableError(
            "the mart marts.accuracy was not made yet", "`riskee sql run prediction_outcomes accuracy`"
        )


def standings(connection: Connection, ticker: str = ALL) -> list[Standing]:
    """How a ticker stands, or all together: first with all models, then with each.

    Raises RetryableError where the mart was not made yet.
    """
    _need_marts(connection)
    return [Standing(**row) for row in connection.execute(_STANDINGS, {"ticker": ticker}).mappings()]


def standing_before(connection: Connection, ticker: str, version: str, session: date) -> Standing | None:
    """How a ticker stood by a model when a session began: outcomes of earlier sessions only, however late it is asked.

    Limits the connection's transaction to them. Raises RetryableError where the mart was not made yet.
    """
    _need_marts(connection)
    connection.execute(_KNOWN_BEFORE, {"session": session.isoformat()})
    names = {"ticker": ticker, "version": version, "session": session}
    row = connection.execute(_STANDING_BEFORE, names).mappings().one_or_none()
    return None if row is None else Standing(**row)


def by_ticker(connection: Connection) -> list[Standing]:
    """How each ticker stands with all models."""
    return [Standing(**row) for row in connection.execute(_TICKERS).mappings()]


def coverage(connection: Connection, standing: Standing) -> Estimate | float:
    """The share of outcomes within their 80 % interval, with its interval clustered by session; of fewer than two
    sessions the share alone."""
    names: dict[str, Any] = {"ticker": standing.ticker, "version": standing.model_version}
    rows = read_columns(connection, _INSIDE.format(**names), 2)
    share = float(rows[:, 1].mean())
    return estimate_of_share(share, rows[:, 1] - share, rows[:, 0].astype(np.int64)) or share


def live_accuracy(connection: Connection) -> list[Accuracy]:
    """How often each model's published predictions were right; nothing of models without an outcome yet."""
    return [
        Accuracy(
            model_type=standing.model_type,  # type: ignore[arg-type] # the mart tests it
            model_version=standing.model_version,
            outcomes=standing.outcomes,
            hit_rate=standing.hit_rate,
            brier=standing.brier,
        )
        for standing in standings(connection)
        if standing.model_version != ALL
    ]
