"""From quotes to predictions: features, routing, one model call per model type. No input or output."""

import math
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import TECHNICAL
from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.ids import asked_prediction_id, prediction_ids
from riskee.market.bars import Dates, Floats
from riskee.messaging.messages import HORIZON, Flag, Interval, ModelType, Prediction, Quote
from riskee.messaging.statuses import Status
from riskee.model.predictor import PredictionArrays, Predictor
from riskee.telemetry import MODEL_SECONDS
from serving.consumers.announced import Announced
from serving.consumers.calendar import Calendar
from serving.consumers.flagging import bits_of, flags_of, told_by, told_by_model

# Sessions of a ticker from which every technical window is full.
FULL_WINDOW = max(feature.bars for feature in TECHNICAL)
_MARKET_RETURN = [feature.name for feature in TECHNICAL].index("market_return_1d")


class Forecast(msgspec.Struct, frozen=True, gc=False):
    """A prediction with the quote and the features that it came from, these in the order of EARNINGS_FEATURES."""

    quote: Quote
    prediction: Prediction
    features: Sequence[float]


def asked(forecast: Forecast, job: uuid.UUID) -> Forecast:
    """What a job made of a quote, under an identity of its own."""
    made = forecast.prediction
    identity = asked_prediction_id(made.prediction_id, job, made.market_quote_id, made.as_of)
    return msgspec.structs.replace(forecast, prediction=msgspec.structs.replace(made, prediction_id=identity))


class Failure(msgspec.Struct, frozen=True, gc=False):
    """A quote that gave no prediction."""

    quote: Quote
    status: Status
    reason: str


class _Wave(NamedTuple):
    """Quotes (n,) of one session and, of each, its features (n, F), whether a report is near, and its flags as bits."""

    quotes: Sequence[Quote]
    features: Floats
    near: NDArray[np.bool_]
    bits: NDArray[np.int64]

    def part(self, rows: NDArray[np.int64]) -> "_Wave":
        quotes = [self.quotes[row] for row in rows.tolist()]
        return _Wave(quotes, self.features[rows], self.near[rows], self.bits[rows])


@dataclass
class Forecaster:
    """The state of all tickers and the champions. Not safe for two callers at once."""

    state: FeatureState
    earnings: EarningsFeatures
    # The trading days, ascending.
    sessions: Dates
    # Tickers of which no report is known.
    unreported: frozenset[str]
    market_ticker: str
    predictors: dict[ModelType, Predictor] = field(default_factory=dict)
    # How old a quote may be when it is predicted.
    stale_after_seconds: float = math.inf
    # The newest recording among the bars of the state.
    bars_as_of: datetime | None = None
    announced: Announced = field(default_factory=Announced)
    # What the calendar said of itself when it was read.
    calendar_mark: str = ""
    _market_quote: Quote | None = None

    def __post_init__(self) -> None:
        self._note_unreported()

    def _note_unreported(self) -> None:
        self._without_reports = np.array([ticker in self.unreported for ticker in self.state.tickers], np.bool_)

    def follow(self, calendar: Calendar) -> None:
        """Go on with a calendar that was read for this state."""
        self.earnings, self.sessions = calendar.earnings, calendar.sessions
        self.unreported, self.calendar_mark = calendar.unreported, calendar.mark
        self._note_unreported()

    def knows(self, quote: Quote) -> bool:
        """Whether the ticker has a place in the state."""
        return quote.ticker in self.state.index_of

    def predicts(self, quote: Quote) -> bool:
        """Whether the ticker is known and not the market's."""
        return self.knows(quote) and quote.ticker != self.market_ticker

    def following(self, day: date) -> date | None:
        """The session after a day, where the calendar reaches so far."""
        place = int(np.searchsorted(self.sessions, np.datetime64(day, "D"), side="right"))
        following: date | None = self.sessions[place].item() if place < len(self.sessions) else None
        return following

    def take(self, quotes: Sequence[Quote]) -> None:
        """Put running bars into the state; each ticker at most once, all of one session."""
        self._market_quote = next((quote for quote in quotes if quote.ticker == self.market_ticker), self._market_quote)
        self.state.update(
            self._index(quotes),
            np.datetime64(quotes[0].session_date, "D"),
            np.array([quote.open for quote in quotes]),
            np.array([quote.high for quote in quotes]),
            np.array([quote.low for quote in quotes]),
            np.array([quote.price for quote in quotes]),
            np.array([quote.volume for quote in quotes]),
            np.array([quote.adjustment_factor for quote in quotes]),
        )

    def forecast(
        self, quotes: Sequence[Quote], as_of: datetime, model_type: ModelType | None = None
    ) -> list[Forecast | Failure]:
        """Predict from the state, which has taken these quotes; the market ticker is left out.

        The earnings calendar chooses the model, unless `model_type` says which.
        """
        quotes = [quote for quote in quotes if quote.ticker != self.market_ticker]
        if not quotes:
            return []
        wave = self._observed(quotes, as_of)
        near = wave.near if model_type is None else np.full(len(quotes), model_type != "normal")
        results: list[Forecast | Failure] = []
        routes: tuple[tuple[ModelType, NDArray[np.bool_]], ...] = (("normal", ~near), ("earnings", near))
        for kind, chosen in routes:
            if chosen.all():
                results += self._call(kind, wave, as_of)
            elif chosen.any():
                results += self._call(kind, wave.part(np.flatnonzero(chosen)), as_of)
        return results

    def _index(self, quotes: Sequence[Quote]) -> NDArray[np.int64]:
        row_of = self.state.index_of
        return np.array([row_of[quote.ticker] for quote in quotes], np.int64)

    def _observed(self, quotes: Sequence[Quote], as_of: datetime) -> _Wave:
        """What is known of quotes of one session, whichever model predicts them."""
        index = self._index(quotes)
        earnings, near = self.earnings.at(index, np.datetime64(quotes[0].session_date, "D"))
        features = np.hstack([self.state.features(index), earnings])
        raised = {
            **told_by(quotes, self.announced, as_of, self.stale_after_seconds),
            Flag.COLD_WINDOW: self.state.bars_seen[index] < FULL_WINDOW,
            Flag.MARKET_MISSING: np.isnan(features[:, _MARKET_RETURN]),
            Flag.EARNINGS_UNKNOWN: self._without_reports[index],
        }
        return _Wave(quotes, features, near, bits_of(raised, len(quotes)))

    def _call(self, kind: ModelType, wave: _Wave, as_of: datetime) -> list[Forecast | Failure]:
        predictor, quotes = self.predictors.get(kind), wave.quotes
        if predictor is None:
            reason = f"no {kind} model has been promoted"
            return [Failure(quote, Status.NO_MODEL, reason) for quote in quotes]
        inputs = wave.features[:, : len(predictor.artifact.features)]
        with MODEL_SECONDS.labels(kind).time():
            arrays = predictor.predict(inputs, np.array([quote.price for quote in quotes]))
        bits = wave.bits | bits_of(told_by_model(predictor.artifact, quotes[0].session_date), 1)
        predictions = self._predictions(predictor, quotes, arrays, flags_of(bits), as_of)
        return [
            Failure(quote, Status.COLD_WINDOW, "too few sessions of this ticker are known for its volatility")
            if prediction is None
            else Forecast(quote, prediction, row)
            for quote, prediction, row in zip(quotes, predictions, wave.features.tolist(), strict=True)
        ]

    def _predictions(
        self,
        predictor: Predictor,
        quotes: Sequence[Quote],
        arrays: PredictionArrays,
        flags: Sequence[tuple[Flag, ...]],
        as_of: datetime,
    ) -> Iterator[Prediction | None]:
        """The prediction of each quote; None where there is no number."""
        artifact, market = predictor.artifact, self._market_of(quotes[0])
        ids = prediction_ids([quote.quote_id for quote in quotes], HORIZON, artifact.version)
        for quote, identity, raised, numbers in zip(quotes, ids, flags, _numbers_of(arrays), strict=True):
            if numbers is None:
                yield None
                continue
            expected_return, predicted_price, p_up, confidence, p10, p50, p90 = numbers
            yield Prediction(
                prediction_id=identity,
                quote_id=quote.quote_id,
                ticker=quote.ticker,
                feed=quote.feed,
                data_time=quote.data_time,
                prediction_time=quote.received_at,
                as_of=as_of,
                session_date=quote.session_date,
                horizon=HORIZON,
                model_type=artifact.model_type,
                model_version=artifact.version,
                feature_set=artifact.feature_set,
                price=quote.price,
                expected_return=expected_return,
                predicted_price=predicted_price,
                p_up=p_up,
                confidence=confidence,
                interval=Interval(p10=p10, p50=p50, p90=p90),
                flags=raised,
                bars_as_of=self.bars_as_of,
                market_quote_id=market,
            )

    def _market_of(self, quote: Quote) -> uuid.UUID | None:
        """The market's quote in force, where it has one in this quote's session."""
        market = self._market_quote
        return market.quote_id if market and market.session_date == quote.session_date else None


def _numbers_of(arrays: PredictionArrays) -> Iterator[tuple[float, ...] | None]:
    """Expected return, predicted price, P(up), confidence and the interval's prices of each row; None where one of
    them is not finite."""
    columns = (
        arrays.expected_return,
        arrays.predicted_price,
        arrays.p_up,
        arrays.confidence,
        arrays.price_p10,
        arrays.price_p50,
        arrays.price_p90,
    )
    fit: NDArray[np.bool_] = np.logical_and.reduce([np.isfinite(column) for column in columns])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return (row if is_fit else None for row, is_fit in zip(rows, fit.tolist(), strict=True))
