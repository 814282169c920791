"""Promoting and rolling back by hand, and comparing two models by what became of their predictions."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from psycopg import sql
from sqlalchemy import Connection

from riskee.errors import NotFoundError, PoisonError
from riskee.messaging.messages import ModelPromoted, ModelType
from riskee.model.aliases import Action, ModelEvent, champion_version, lock, move, read_events
from riskee.model.evaluation import log_losses
from riskee.model.predictor import Predictor
from riskee.model.registry import load_model, read_model
from riskee.model.uncertainty import Estimate, estimate
from riskee.storage.bars import last_sessions
from riskee.storage.columns import read_columns


@dataclass(frozen=True)
class Promotion:
    """A move of the champion's alias, the news of it for the bus, and why the training had refused the model, if so."""

    event: ModelEvent
    news: ModelPromoted
    refused_because: str | None


def promote(connection: Connection, version: str, reason: str, at: datetime, *, force: bool = False) -> Promotion:
    """Make a registered model the champion, in the connection's transaction.

    Raises PoisonError without a reason, for an altered artifact, one of other features and, unless forced, one that has
    expired; NotFoundError for an unknown version.
    """
    return _promote(connection, version, reason, at, Action.PROMOTED, force)


def roll_back(
    connection: Connection, model_type: ModelType, reason: str, at: datetime, *, force: bool = False
) -> Promotion:
    """Make the champion before the present one champion again. Raises as `promote`, and NotFoundError without one."""
    lock(connection)
    present = champion_version(connection, model_type)
    if present is None:
        raise NotFoundError(f"there is no champion of type {model_type}", "train one: `riskee models retrain`")
    events = read_events(connection, model_type)
    promoted = (each for each in events if each.model_version == present and each.action is Action.PROMOTED)
    former = next((event.former_champion for event in promoted), None)
    if former is None:
        raise NotFoundError(
            f"there is no champion of type {model_type} before {present}", "`riskee models list`, then promote one"
        )
    return _promote(connection, former, reason, at, Action.ROLLED_BACK, force)


def _promote(connection: Connection, version: str, reason: str, at: datetime, action: Action, force: bool) -> Promotion:
    if not reason.strip():
        raise PoisonError("a model is not promoted without a reason", "give one: --reason '…'")
    lock(connection)
    # Also checks that it can be loaded and knows today's features: nothing overrides that.
    artifact = Predictor(load_model(connection, version)).artifact
    if champion_version(connection, artifact.model_type) == version:
        raise PoisonError(f"{version} is the champion already", "`riskee models list` shows the others")
    reached = next(iter(last_sessions(connection, 1)), date.min)
    if artifact.has_expired(reached) and not force:
        raise PoisonError(
            f"{version} expired on {artifact.valid_until}, and the data reach to {reached}",
            "train a new model; --force promotes it nevertheless, and flags its predictions",
        )
    event = move(connection, ModelEvent(at, artifact.model_type, version, action, reason))
    news = ModelPromoted(
        model_type=artifact.model_type, model_version=version, artifact_sha256=artifact.sha256, reason=reason
    )
    registered = read_model(connection, version)
    return Promotion(event, news, registered.reason if registered.decision == "refused" else None)


@dataclass(frozen=True)
class Comparison:
    """The first model against the second on what both predicted: `gain` is the mean log loss that the first saves."""

    rows: int
    sessions: int
    gain: Estimate | None


_BOTH = sql.SQL("""
SELECT first.session_date - DATE '1970-01-01', first.p_up, second.p_up, CAST(first.realised_return > 0 AS integer)
FROM track_record AS first
INNER JOIN track_record AS second USING (ticker, data_time)
WHERE first.model_version = {} AND second.model_version = {}
ORDER BY 1
""")


def compare(connection: Connection, first: str, second: str) -> Comparison:
    """Compare two models on the scored predictions that both made of the same ticker at the same moment."""
    rows = read_columns(connection, _BOTH.format(first, second), 4)
    session, up = rows[:, 0].astype(np.int64), rows[:, 3] > 0
    gain = log_losses(rows[:, 2], up) - log_losses(rows[:, 1], up)
    mean = float(gain.mean()) if len(gain) else 0.0
    return Comparison(len(rows), len(np.unique(session)), estimate(mean, gain - mean, session) if len(gain) else None)
