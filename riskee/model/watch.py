"""Why a model type should be trained again, if at all: new data, decay, drift, expiry, an unfit champion."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from psycopg import sql
from sqlalchemy import Connection, func, select

from riskee.features.definitions import feature_set_hash
from riskee.messaging.messages import ModelType
from riskee.model.artifact import ModelArtifact, Unreadable
from riskee.model.boundaries import boundaries, judged_on
from riskee.model.dataset import learnt_rows
from riskee.model.decay import Decay, Scores, decay_tests
from riskee.model.drift import Drift
from riskee.model.drift_block import BlockTest, examine_block
from riskee.model.incumbent import incumbent
from riskee.settings import Settings
from riskee.storage.columns import read_columns
from riskee.storage.tables import model_metadata

Kind = Literal["new data", "accuracy", "calibration", "coverage", "drift", "expiry", "features", "unfit"]

_SCORES = sql.SQL("""
SELECT session_date - DATE '1970-01-01', p_up, interval_low, interval_high, realised_return
FROM track_record
WHERE model_version = {version}
ORDER BY session_date
""")
# Only sessions with rows that the type learns from: a model of reports ends with the last report.
_NEW = sql.SQL("""
    SELECT count(DISTINCT session_date)
    FROM features_daily
    INNER JOIN tickers USING (ticker)
    WHERE NOT is_index AND session_date > {after} AND session_date < {before} AND {learnt}
""")


@dataclass(frozen=True)
class Cause:
    """Why to train again. The same evidence has the same key, however often it is found."""

    kind: Kind
    key: str
    detail: str


@dataclass(frozen=True)
class Watch:
    """What was looked at on a day. `causes` are those that fired; none without a champion to look after."""

    model_type: ModelType
    model_version: str | None
    as_of: date | None
    new_sessions: int
    decays: tuple[Decay, ...]
    block: BlockTest | None
    causes: tuple[Cause, ...]

    @property
    def drift(self) -> Drift | None:
        """The test of the last whole block of sessions, where there was enough for it."""
        return self.block.drift if self.block else None


def watch(connection: Connection, settings: Settings, model_type: ModelType, tested: BlockTest | None = None) -> Watch:
    """Look at the champion of a model type: its live record, today's features, its age, the data since its training.

    `tested` is the last test for drift, which is not repeated for the same block of sessions.
    """
    model = incumbent(connection, model_type)
    as_of = judged_on(connection, settings)
    if model is None or as_of is None:
        return Watch(model_type, None, as_of, 0, (), None, ())
    if isinstance(model, Unreadable):
        key, detail = f"unfit:{model.version}:{as_of:%Y-%m}", f"{model.version} is unreadable: {model.trouble}"
        return Watch(model_type, model.version, as_of, 0, (), None, (Cause("unfit", key, detail),))
    retraining = settings.retraining
    trained_through, new = _new_sessions(connection, settings, model_type)
    decays = tuple(decay_tests(_scores(connection, model.version), retraining.decay_level))
    block = None if _outdated(model) else examine_block(connection, settings, model, as_of, tested)
    causes: list[Cause] = []
    if new >= retraining.after_sessions:
        key = f"new data:{model_type}:{trained_through}:{new // retraining.after_sessions}"
        causes.append(Cause("new data", key, f"{new} sessions since the last training, through {trained_through}"))
    # A refused candidate leaves the evidence as it is: it counts again with another block of sessions.
    causes += [
        Cause(one.measure, f"{one.measure}:{model.version}:{one.sessions // retraining.drift_sessions}", _told(one))
        for one in decays
        if one.fired
    ]
    if block is not None and (drift := block.drift) is not None and drift.fired(block.level):
        detail = f"p = {drift.p_value:.3f} among {drift.blocks} blocks: {', '.join(drift.beyond[:5])}"
        causes.append(Cause("drift", f"drift:{model.version}:{block.through}", detail))
    if model.has_expired(as_of):
        detail = f"{model.version} was valid until {model.valid_until}, it is {as_of}"
        causes.append(Cause("expiry", f"expiry:{model.version}:{as_of:%Y-%m}", detail))
    if _outdated(model):
        key = f"features:{model.version}:{feature_set_hash(model_type)}"
        causes.append(Cause("features", key, f"{model.version} knows other features than there are now"))
    return Watch(model_type, model.version, as_of, new, decays, block, tuple(causes))


def _outdated(model: ModelArtifact) -> bool:
    return model.feature_set != feature_set_hash(model.model_type)


def _told(decay: Decay) -> str:
    return (
        f"worse than said by {decay.worse_by:.3f} over {decay.sessions} sessions: evidence {decay.evidence:.0f}, "
        f"{decay.threshold:.0f} is enough"
    )


def _new_sessions(connection: Connection, settings: Settings, model_type: ModelType) -> tuple[date, int]:
    """Through when the newest model was trained, whatever became of it, and how many sessions a new one would add."""
    table = model_metadata.c
    through = connection.scalar(select(func.max(table.trained_through)).where(table.model_type == model_type))
    assert through is not None  # noqa: S101 (there is a champion)
    found = boundaries(connection, settings)
    if found is None:
        return through, 0
    learnt = learnt_rows(model_type, settings.model.earnings_window_sessions)
    after, before = sql.Literal(through), sql.Literal(found.learnt_before)
    return through, int(read_columns(connection, _NEW.format(after=after, before=before, learnt=learnt), 1)[0, 0])


def _scores(connection: Connection, version: str) -> Scores:
    rows = read_columns(connection, _SCORES.format(version=sql.Literal(version)), 5)
    days = rows[:, 0].astype(np.int64).astype("datetime64[D]")
    return Scores(days, *(rows[:, column] for column in range(1, 5)))
