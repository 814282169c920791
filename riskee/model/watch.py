"""Why a model type should be trained again, if at all: new data, decay, drift, expiry, other features."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from psycopg import sql
from sqlalchemy import Connection, func, select, text

from riskee.features.definitions import feature_set_hash
from riskee.market.bars import Floats
from riskee.messaging.messages import ModelType
from riskee.model.artifact import ModelArtifact
from riskee.model.decay import Decay, Scores, decay_tests
from riskee.model.drift import Drift, bin_edges, daily_shares, drift_test
from riskee.model.registry import champion
from riskee.settings import Settings
from riskee.storage.bars import last_sessions
from riskee.storage.columns import read_columns
from riskee.storage.tables import model_metadata

Kind = Literal["new data", "accuracy", "calibration", "coverage", "drift", "expiry", "features"]

_SCORES = sql.SQL("""
SELECT session_date - DATE '1970-01-01', p_up, interval_low, interval_high, realised_return
FROM track_record
WHERE model_version = {version}
ORDER BY session_date
""")
_FEATURE = sql.SQL("""
SELECT session_date - DATE '1970-01-01', {feature}
FROM features_daily
INNER JOIN tickers USING (ticker)
WHERE NOT is_index AND session_date BETWEEN {first} AND {last}
    AND ({every} OR least(sessions_to_earnings, sessions_since_earnings) <= {window})
""")
# What has been played: in a replay the features of later sessions are stored already, and must not be looked at.
_AS_OF = text("SELECT session_date FROM feed_state WHERE feed = :feed")
# Only sessions with rows that the type learns from: a model of reports ends with the last report.
_NEW = text("""
    SELECT count(DISTINCT session_date)
    FROM features_daily
    INNER JOIN tickers USING (ticker)
    WHERE NOT is_index AND session_date > :after AND session_date < :before
        AND (:every OR least(sessions_to_earnings, sessions_since_earnings) <= :window)
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
    drift: Drift | None
    causes: tuple[Cause, ...]


def watch(connection: Connection, settings: Settings, model_type: ModelType) -> Watch:
    """Look at the champion of a model type: its live record, today's features, its age, the data since its training."""
    model = champion(connection, model_type)
    as_of = _as_of(connection, settings)
    if model is None or as_of is None:
        return Watch(model_type, None, as_of, 0, (), None, ())
    retraining = settings.retraining
    trained_through, new = _new_sessions(connection, settings, model_type)
    decays = tuple(decay_tests(_scores(connection, model.version), retraining.decay_level))
    drift, through = (None, None) if _outdated(model) else _drift(connection, settings, model, as_of)
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
    if drift is not None and drift.fired(retraining.drift_level):
        detail = f"p = {drift.p_value:.3f} among {drift.blocks} blocks: {', '.join(drift.beyond[:5])}"
        causes.append(Cause("drift", f"drift:{model.version}:{through}", detail))
    if model.valid_until <= as_of:
        detail = f"{model.version} was valid until {model.valid_until}, it is {as_of}"
        causes.append(Cause("expiry", f"expiry:{model.version}:{as_of:%Y-%m}", detail))
    if _outdated(model):
        key = f"features:{model.version}:{feature_set_hash(model_type)}"
        causes.append(Cause("features", key, f"{model.version} knows other features than there are now"))
    return Watch(model_type, model.version, as_of, new, decays, drift, tuple(causes))


def _outdated(model: ModelArtifact) -> bool:
    return model.feature_set != feature_set_hash(model.model_type)


def _told(decay: Decay) -> str:
    return (
        f"worse than said by {decay.worse_by:.3f} over {decay.sessions} sessions: evidence {decay.evidence:.0f}, "
        f"{decay.threshold:.0f} is enough"
    )


def _as_of(connection: Connection, settings: Settings) -> date | None:
    played = connection.scalar(_AS_OF, {"feed": settings.feed.kind})
    return played or next(iter(last_sessions(connection, 1)), None)


def _new_sessions(connection: Connection, settings: Settings, model_type: ModelType) -> tuple[date, int]:
    """Through when the newest model was trained, whatever became of it, and how many sessions a new one would add."""
    table = model_metadata.c
    through = connection.scalar(select(func.max(table.trained_through)).where(table.model_type == model_type))
    assert through is not None  # noqa: S101 (there is a champion)
    held_out = last_sessions(connection, settings.feed.replay.sessions + settings.model.holdout_sessions)
    if not held_out:
        return through, 0
    window = {"every": model_type == "normal", "window": settings.model.earnings_window_sessions}
    return through, int(connection.scalar(_NEW, {"after": through, "before": held_out[0], **window}) or 0)


def _scores(connection: Connection, version: str) -> Scores:
    rows = read_columns(connection, _SCORES.format(version=sql.Literal(version)), 5)
    return Scores(_days(rows[:, 0]), *(rows[:, column] for column in range(1, 5)))


def _days(numbers: Floats) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    return np.asarray(numbers.astype(np.int64).astype("datetime64[D]"))


def _drift(
    connection: Connection, settings: Settings, model: ModelArtifact, as_of: date
) -> tuple[Drift | None, date | None]:
    """Test the last whole block of sessions since the training, and answer with its end: each block is tested once."""
    length = settings.retraining.drift_sessions
    training: dict[str, Floats] = {}
    live: dict[str, Floats] = {}
    end: date | None = None
    for feature in model.features:
        query = _FEATURE.format(
            feature=sql.Identifier(feature),
            first=sql.Literal(model.trained_from),
            last=sql.Literal(as_of),
            every=sql.Literal(model.model_type == "normal"),
            window=sql.Literal(settings.model.earnings_window_sessions),
        )
        rows = read_columns(connection, query, 2)
        days, of_day = np.unique(_days(rows[:, 0]), return_inverse=True)
        seen = int(np.searchsorted(days, np.datetime64(model.trained_through), side="right"))
        whole = seen + (len(days) - seen) // length * length
        if whole == seen:
            return None, None
        edges = bin_edges(rows[of_day < seen, 1])
        shares = daily_shares(of_day, rows[:, 1], edges, len(days)) if len(edges) else np.empty((len(days), 0))
        training[feature], live[feature] = shares[:seen], shares[seen:whole]
        end = days[whole - 1].item()
    return drift_test(training, live, length, settings.retraining.drift_level), end
