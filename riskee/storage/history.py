"""Past predictions of a ticker, and what became of them."""

import math
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from riskee.messaging.messages import ModelType, Prediction
from riskee.storage.predictions import prediction_from
from riskee.storage.tables import predictions, track_record, trading_sessions

Each = Literal["quote", "session"]


@dataclass(frozen=True)
class Place:
    """A prediction's place in the order of a history."""

    session_date: date
    prediction_time: datetime
    prediction_id: uuid.UUID


@dataclass(frozen=True)
class Wanted:
    """Which predictions: made at `since` or after it, and before `until`; of `session`s the last one each."""

    ticker: str
    each: Each = "quote"
    since: datetime | None = None
    until: datetime | None = None
    model_type: ModelType | None = None
    before: Place | None = None


@dataclass(frozen=True)
class Outcome:
    """The log return from the prediction's price to the close of `session`, whether the likelier direction came about,
    and whether the return lies within the interval of 80 %."""

    session: date
    realised_return: float
    hit: bool
    inside: bool


@dataclass(frozen=True)
class PastPrediction:
    """A prediction, the session whose close it is of, where the calendar reaches so far, and what happened, where that
    is known. A hit is what the mart `prediction_outcomes` calls one."""

    prediction: Prediction
    for_session: date | None
    outcome: Outcome | None

    @property
    def place(self) -> Place:
        one = self.prediction
        return Place(one.session_date, one.prediction_time, one.prediction_id)


def past_predictions(connection: Connection, wanted: Wanted, limit: int) -> list[PastPrediction]:
    """The newest predictions that are wanted, newest first; a later page begins `before` the last one's place."""
    chosen = _chosen(wanted).limit(limit).subquery()
    # Of a session that was played again the record has the first prediction alone; what happened is the same.
    same = and_(*(track_record.c[name] == chosen.c[name] for name in ("ticker", "data_time", "model_version")))
    day = trading_sessions.c.session_date
    following = select(func.min(day)).where(day > chosen.c.session_date).scalar_subquery().label("for_session")
    query = select(chosen, following, track_record.c.outcome_session, track_record.c.realised_return)
    rows = query.select_from(chosen.outerjoin(track_record, same)).order_by(*_newest(chosen.c, wanted.each))
    return [_past(row) for row in connection.execute(rows)]


def _chosen(wanted: Wanted) -> Select[Any]:
    table = predictions.c
    conditions = [table.ticker == wanted.ticker]
    if wanted.since is not None:
        conditions.append(table.prediction_time >= wanted.since)
    if wanted.until is not None:
        conditions.append(table.prediction_time < wanted.until)
    if wanted.model_type is not None:
        conditions.append(table.model_type == wanted.model_type)
    if wanted.before is not None:
        conditions.append(_comes_after(wanted.before, wanted.each))
    chosen = select(predictions).where(*conditions).order_by(*_newest(table, wanted.each))
    return chosen.ext(distinct_on(table.session_date)) if wanted.each == "session" else chosen


def _newest(columns: Any, each: Each) -> tuple[ColumnElement[Any], ...]:
    if each == "session":
        return columns.session_date.desc(), columns.prediction_time.desc(), columns.as_of.desc()
    return columns.prediction_time.desc(), columns.prediction_id.desc()


def _comes_after(place: Place, each: Each) -> ColumnElement[bool]:
    table = predictions.c
    if each == "session":
        return table.session_date < place.session_date
    return tuple_(table.prediction_time, table.prediction_id) < (place.prediction_time, place.prediction_id)


def _past(row: Row[Any]) -> PastPrediction:
    values = dict(row._mapping)
    session, realised = values.pop("outcome_session"), values.pop("realised_return")
    for_session = values.pop("for_session")
    prediction = prediction_from(values)
    outcome = None if session is None else _outcome(prediction, session, realised)
    return PastPrediction(prediction, for_session, outcome)


def _outcome(prediction: Prediction, session: date, realised: float) -> Outcome:
    hit = (prediction.p_up >= 0.5) == (realised > 0)
    low, high = (math.log(bound / prediction.price) for bound in (prediction.interval.p10, prediction.interval.p90))
    return Outcome(session, realised, hit, low <= realised <= high)
