"""Drift of a model's features in the last whole block of sessions since its training, read from the database."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from psycopg import sql
from sqlalchemy import Connection

from riskee.market.bars import Floats
from riskee.model.artifact import ModelArtifact
from riskee.model.dataset import learnt_rows
from riskee.model.drift import Drift, bin_edges, daily_shares, drift_test
from riskee.settings import Settings
from riskee.storage.columns import read_columns

_SESSIONS = sql.SQL("""
SELECT DISTINCT session_date - DATE '1970-01-01'
FROM features_daily
INNER JOIN tickers USING (ticker)
WHERE NOT is_index AND session_date > {after} AND session_date <= {last}
    AND {learnt}
ORDER BY 1
""")
_FEATURES = sql.SQL("""
SELECT session_date - DATE '1970-01-01', {features}
FROM features_daily
INNER JOIN tickers USING (ticker)
WHERE NOT is_index AND session_date BETWEEN {first} AND {last}
    AND {learnt}
""")


# How many features are read at once: each reading looks at every row, and holds its values in memory.
_TOGETHER = 6


@dataclass(frozen=True)
class BlockTest:
    """A test of the block of `sessions` that ends with `through`; `drift` is None where there was too little for it."""

    model_version: str
    through: date
    sessions: int
    level: float
    drift: Drift | None = None


def examine_block(
    connection: Connection, settings: Settings, model: ModelArtifact, as_of: date, former: BlockTest | None
) -> BlockTest | None:
    """Test the last whole block of sessions; None before there is one.

    Each block is tested once: `former` is the answer where it is of the same block. The test reads every value since
    the training began, and is asked for every hour.
    """
    length, level = settings.retraining.drift_sessions, settings.retraining.drift_level
    learnt = learnt_rows(model.model_type, settings.model.earnings_window_sessions)
    since = _SESSIONS.format(after=sql.Literal(model.trained_through), last=sql.Literal(as_of), learnt=learnt)
    sessions = _days(read_columns(connection, since, 1)[:, 0])
    if len(sessions) < length:
        return None
    block = BlockTest(model.version, sessions[len(sessions) // length * length - 1].item(), length, level)
    if former is not None and replace(former, drift=None) == block:
        return former
    return replace(block, drift=_test(connection, model, block, learnt))


def _test(connection: Connection, model: ModelArtifact, block: BlockTest, learnt: sql.Composable) -> Drift | None:
    training: dict[str, Floats] = {}
    live: dict[str, Floats] = {}
    for start in range(0, len(model.features), _TOGETHER):
        features = model.features[start : start + _TOGETHER]
        query = _FEATURES.format(
            features=sql.SQL(", ").join(map(sql.Identifier, features)),
            first=sql.Literal(model.trained_from),
            last=sql.Literal(block.through),
            learnt=learnt,
        )
        values = read_columns(connection, query, 1 + len(features))
        days, of_day = np.unique(_days(values[:, 0]), return_inverse=True)
        seen = int(np.searchsorted(days, np.datetime64(model.trained_through), side="right"))
        for feature, column in zip(features, values.T[1:], strict=True):
            edges = bin_edges(column[of_day < seen])
            shares = daily_shares(of_day, column, edges, len(days)) if len(edges) else np.empty((len(days), 0))
            training[feature], live[feature] = shares[:seen], shares[seen:]
    return drift_test(training, live, block.sessions, block.level)


def _days(numbers: Floats) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    return np.asarray(numbers.astype(np.int64).astype("datetime64[D]"))
