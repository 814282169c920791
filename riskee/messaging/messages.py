"""The messages: frozen structs. Times are UTC, prices in the ticker's currency, returns log returns."""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from riskee.messaging.statuses import Status

TICKER_PATTERN = r"^[A-Z0-9][A-Z0-9.\-]{0,15}$"
Ticker = Annotated[str, Meta(pattern=TICKER_PATTERN, description="exchange symbol in capitals")]
Price = Annotated[float, Meta(gt=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]
ModelType = Literal["normal", "earnings"]
MODEL_TYPES: tuple[ModelType, ...] = ("normal", "earnings")
HORIZON = "1d"


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Base of all payloads. They hold values only, never each other in a circle, so no collector need look at them."""


class Flag(StrEnum):
    """Why a prediction deserves less trust than a clean one. No flag: nothing known against it."""

    REPLAY = "replay"
    PROVISIONAL_BAR = "provisional_bar"
    COLD_WINDOW = "cold_window"
    MARKET_MISSING = "market_missing"
    EARNINGS_UNKNOWN = "earnings_unknown"
    MODEL_EXPIRED = "model_expired"
    IN_SAMPLE = "in_sample"
    STALE = "stale"
    SESSION_CLOSED = "session_closed"
    HALTED = "halted"
    FEED_MUTE = "feed_mute"
    PREDICT_SILENT = "predict_silent"


class MarketState(StrEnum):
    """What a feed says of a ticker's session."""

    OPEN = "open"
    CLOSED = "closed"
    HALTED = "halted"


class Quote(Message, frozen=True):
    """The running daily bar of one ticker at `data_time` (`data.market.quote`)."""

    quote_id: uuid.UUID
    feed: str
    ticker: Ticker
    data_time: datetime
    received_at: datetime
    session_date: date
    sequence: Annotated[int, Meta(ge=0)]
    price: Price
    open: Price
    high: Price
    low: Price
    volume: Annotated[float, Meta(ge=0)]
    # The vendor's cumulative total-return factor of the session: adjusted price = price x factor.
    adjustment_factor: Price = 1.0
    # True for the last quote of a session: the bar is final.
    final: bool = False


class MarketStatus(Message, frozen=True):
    """A change of a feed's session or of a ticker (`data.market.status`): halted, or open again."""

    feed: str
    state: MarketState
    data_time: datetime
    ticker: Ticker | None = None
    reason: str = ""


class PredictJob(Message, frozen=True):
    """A request to predict a ticker now, from its latest quote (`job.predict.normal|earnings`)."""

    job_id: uuid.UUID
    ticker: Ticker
    requested_at: datetime


class Interval(Message, frozen=True):
    """Prices below which the next close lies with 10, 50 and 90 % probability."""

    p10: Price
    p50: Price
    p90: Price


class Prediction(Message, frozen=True):
    """One prediction (`event.prediction.updated`)."""

    prediction_id: uuid.UUID
    quote_id: uuid.UUID
    ticker: Ticker
    feed: str
    data_time: datetime
    # When it was asked for: the moment the quote was received. Also the partition column of the table.
    prediction_time: datetime
    # When it was computed.
    as_of: datetime
    session_date: date
    horizon: str
    model_type: ModelType
    model_version: str
    feature_set: str
    price: Price
    expected_return: float
    predicted_price: Price
    p_up: Probability
    confidence: Probability
    interval: Interval
    flags: tuple[Flag, ...] = ()
    # What it was made from besides its quote, so that it can be made again: the newest recording among the bars that
    # the state was built from, and the market's quote in force. None: not known, and no quote of the market yet.
    bars_as_of: datetime | None = None
    market_quote_id: uuid.UUID | None = None


class PredictionFailed(Message, frozen=True):
    """Why a ticker has no prediction (`event.prediction.failed`)."""

    ticker: str
    feed: str
    data_time: datetime
    status: Status
    reason: str


class Presence(Message, frozen=True):
    """A predictor lives, and holds these units of the work (`presence.predict`)."""

    member: uuid.UUID
    # Into how many partitions its settings divide the work. One of another number is waited for, not shared with.
    partitions: Annotated[int, Meta(ge=1)]
    holds: tuple[str, ...]
    leaving: bool = False


class ModelPromoted(Message, frozen=True):
    """A new champion (`event.model.promoted`)."""

    model_type: ModelType
    model_version: str
    artifact_sha256: str
    reason: str


class Accuracy(Message, frozen=True):
    """A model's live accuracy (`metrics.model.accuracy`)."""

    model_type: ModelType
    model_version: str
    outcomes: int
    hit_rate: Probability
    brier: float


class ChampionWatch(Message, frozen=True):
    """How a champion stands (`metrics.model.normal`, `metrics.model.earnings`): what retraining is decided on."""

    model_type: ModelType
    model_version: str
    # By measure: the evidence that it is worse than it says, as a share of what is enough.
    decay: dict[str, float]
    # The test for drift of the features, where there was enough for it; by feature its distance from the training
    # data as a multiple of the usual one.
    drift_p_value: float | None
    drift: dict[str, float]


class DeadLetter(Message, frozen=True):
    """A message that could not be processed, with the reason (`dead.<subject>`)."""

    subject: str
    reason: str
    body: str
    failed_at: datetime
    source: str
