"""Making a stored prediction again: from the bars that its state knew, the quotes that it came from, and its model.

It goes through the very code that predicts. Equal means that every number has the same bytes.
"""

import hashlib
import math
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from sqlalchemy import Connection

from riskee.features.definitions import EARNINGS_FEATURES, WARM_UP_BARS
from riskee.market.bars import BarMatrix
from riskee.messaging.messages import Flag, Prediction, Quote
from riskee.model.predictor import Predictor
from riskee.model.registry import load_model, read_model
from riskee.settings import Settings
from riskee.storage.predictions import find_prediction, find_quote
from riskee.storage.recent_bars import recent_bars
from serving.consumers.announced import Announced
from serving.consumers.forecasting import Forecast, Forecaster
from serving.consumers.knowledge import forecaster_before

Value = float | str | None
_NUMBERS = ("price", "expected_return", "predicted_price", "p_up", "confidence")
# Not the identity, which it is looked up by: what a job asked for has one that came of the job.
_NAMES = ("horizon", "model_type", "model_version", "feature_set", "market_quote_id")


@dataclass(frozen=True)
class Field:
    """One field of the prediction, as it is stored and as it came out again."""

    name: str
    stored: Value
    made: Value
    equal: bool


@dataclass(frozen=True)
class Lineage:
    """What the prediction was made from."""

    ticker: str
    feed: str
    data_time: datetime
    as_of: datetime
    quote_id: uuid.UUID
    market_quote_id: uuid.UUID | None
    bars_as_of: datetime | None
    bars: int
    bars_sha256: str
    last_bar: date | None
    model_version: str
    artifact_sha256: str
    data_sha256: str
    code_version: str
    feature_set: str


@dataclass(frozen=True)
class Reproduction:
    """A prediction made again. `features` are what the model was given, None where a window was not full; no row keeps
    them. `reasons` say why it may differ, as far as can be known; empty: nothing known."""

    prediction_id: uuid.UUID
    equal: bool
    fields: tuple[Field, ...]
    features: dict[str, float | None]
    lineage: Lineage
    reasons: tuple[str, ...]


def reproduce(connection: Connection, settings: Settings, prediction_id: uuid.UUID) -> Reproduction:
    """Make a prediction again and compare.

    Raises NotFoundError where it, its quotes or its model are not stored, PoisonError where the model was altered or
    knows other features than this version.
    """
    stored = find_prediction(connection, prediction_id)
    quote = find_quote(connection, stored.quote_id)
    market = find_quote(connection, stored.market_quote_id) if stored.market_quote_id else None
    predictor = Predictor(load_model(connection, stored.model_version), settings.model.threads)
    only = {stored.ticker, settings.model.market_ticker}
    known = stored.bars_as_of or stored.as_of
    bars = recent_bars(connection, stored.session_date, WARM_UP_BARS, only=only, stored=known)
    forecaster = forecaster_before(connection, settings.model, stored.session_date, only=only, stored=known)
    forecaster.predictors = {stored.model_type: predictor}
    forecaster.stale_after_seconds = settings.feed.stale_after_seconds
    forecaster.announced = _announced(stored)
    forecast = _predict(forecaster, stored, quote, market)
    fields = tuple(_compare(stored, forecast.prediction if forecast else None))
    features = dict(zip(EARNINGS_FEATURES, forecast.features, strict=True)) if forecast else {}
    shown = {name: None if math.isnan(value) else value for name, value in features.items()}
    equal = all(field.equal for field in fields)
    reasons = () if equal else tuple(_reasons(stored, bars, forecaster))
    return Reproduction(prediction_id, equal, fields, shown, _lineage(connection, stored, bars), reasons)


def _predict(forecaster: Forecaster, stored: Prediction, quote: Quote, market: Quote | None) -> Forecast | None:
    for each in (market, quote):
        if each is not None and forecaster.knows(each):
            forecaster.take([each])
    (result,) = forecaster.forecast([quote], stored.as_of, stored.model_type)
    return result if isinstance(result, Forecast) else None


def _announced(stored: Prediction) -> Announced:
    """What was announced when a prediction was made: of it, only its own flags are kept."""
    halted = frozenset({stored.ticker} if Flag.HALTED in stored.flags else ())
    if Flag.SESSION_CLOSED not in stored.flags:
        return Announced(halted)
    return Announced(halted, closed_at=stored.data_time, closed_on=stored.session_date)


def _compare(stored: Prediction, made: Prediction | None) -> Iterator[Field]:
    again = _values(made) if made else {}
    for name, value in _values(stored).items():
        yield Field(name, value, again.get(name), made is not None and _bytes(value) == _bytes(again[name]))


def _values(prediction: Prediction) -> dict[str, float | str]:
    """The fields that are compared."""
    found: dict[str, float | str] = {name: str(getattr(prediction, name)) for name in _NAMES}
    found |= {name: getattr(prediction, name) for name in _NUMBERS}
    found |= {f"interval.{name}": getattr(prediction.interval, name) for name in ("p10", "p50", "p90")}
    return found | {"flags": ", ".join(prediction.flags)}


def _bytes(value: float | str) -> bytes:
    # Not equality: 0.0 and -0.0 are two numbers.
    return value.encode() if isinstance(value, str) else struct.pack(">d", value)


def _reasons(stored: Prediction, bars: BarMatrix, forecaster: Forecaster) -> Iterator[str]:
    if stored.bars_as_of is None:
        yield "it was made before predictions said which bars their state knew: those of its moment were taken"
    session = np.datetime64(stored.session_date, "D")
    before = forecaster.sessions[np.searchsorted(forecaster.sessions, session) - 1]
    for ticker, last in zip(bars.tickers, bars.session[:, -1], strict=True):
        if last != before:
            yield (
                f"the last bar of {ticker} that was stored by then is of {last}, not of {before}: where the feed "
                "played the sessions between, the state held their quotes instead"
            )
    if stored.model_type == "earnings":
        yield "the earnings calendar keeps no versions: a report that was added or changed since counts here"
    yield "the code of the features may have changed since, without their definitions"


def _lineage(connection: Connection, stored: Prediction, bars: BarMatrix) -> Lineage:
    model = read_model(connection, stored.model_version)
    row = bars.tickers.index(stored.ticker)
    sessions = bars.session[row][~np.isnat(bars.session[row])]
    digest = hashlib.sha256("\x1f".join(bars.tickers).encode())
    for array in (bars.session.astype(np.int64), bars.open, bars.high, bars.low, bars.close, bars.volume, bars.factor):
        digest.update(np.ascontiguousarray(array).tobytes())
    return Lineage(
        ticker=stored.ticker,
        feed=stored.feed,
        data_time=stored.data_time,
        as_of=stored.as_of,
        quote_id=stored.quote_id,
        market_quote_id=stored.market_quote_id,
        bars_as_of=stored.bars_as_of,
        bars=len(sessions),
        bars_sha256=digest.hexdigest(),
        last_bar=sessions[-1].item() if len(sessions) else None,
        model_version=model.model_version,
        artifact_sha256=model.artifact_sha256,
        data_sha256=model.data_sha256,
        code_version=model.code_version,
        feature_set=model.feature_set,
    )
