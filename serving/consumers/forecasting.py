"""From quotes to predictions: features, routing, one model call per model type. No input or output."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import EARNINGS_FEATURES, TECHNICAL
from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.ids import prediction_id
from riskee.market.bars import Dates, Floats
from riskee.messaging.messages import HORIZON, Flag, Interval, ModelType, Prediction, Quote
from riskee.messaging.statuses import Status
from riskee.model.predictor import PredictionArrays, Predictor
from riskee.telemetry import MODEL_SECONDS
from serving.consumers.announced import Announced

# Sessions of a ticker from which every technical window is full.
FULL_WINDOW = max(feature.bars for feature in TECHNICAL)
_MARKET_RETURN = [feature.name for feature in TECHNICAL].index("market_return_1d")


@dataclass(frozen=True)
class Forecast:
    """A prediction with the quote and the features that it came from."""

    quote: Quote
    prediction: Prediction
    features: Mapping[str, float]


@dataclass(frozen=True)
class Failure:
    """A quote that gave no prediction."""

    quote: Quote
    status: Status
    reason: str


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
    _market_quote: Quote | None = None

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
            *(
                np.array([getattr(quote, name) for quote in quotes])
                for name in ("open", "high", "low", "price", "volume", "adjustment_factor")
            ),
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
        index, session = self._index(quotes), np.datetime64(quotes[0].session_date, "D")
        features = np.hstack([self.state.features(index), self.earnings.features(index, session)])
        near = self.earnings.near(index, session) if model_type is None else np.full(len(index), model_type != "normal")
        results: list[Forecast | Failure] = []
        routes: tuple[tuple[ModelType, NDArray[np.bool_]], ...] = (("normal", ~near), ("earnings", near))
        for kind, chosen in routes:
            rows = np.flatnonzero(chosen)
            if len(rows):
                results += self._call(kind, [quotes[row] for row in rows], features[rows], as_of)
        return results

    def _index(self, quotes: Sequence[Quote]) -> NDArray[np.int64]:
        return np.array([self.state.index_of[quote.ticker] for quote in quotes], np.int64)

    def _call(
        self, kind: ModelType, quotes: Sequence[Quote], features: Floats, as_of: datetime
    ) -> list[Forecast | Failure]:
        predictor = self.predictors.get(kind)
        if predictor is None:
            reason = f"no {kind} model has been promoted"
            return [Failure(quote, Status.NO_MODEL, reason) for quote in quotes]
        inputs = features[:, : len(predictor.artifact.features)]
        with MODEL_SECONDS.labels(kind).time():
            arrays = predictor.predict(inputs, np.array([quote.price for quote in quotes]))
        return [self._result(predictor, quote, arrays, row, features[row], as_of) for row, quote in enumerate(quotes)]

    def _result(
        self,
        predictor: Predictor,
        quote: Quote,
        arrays: PredictionArrays,
        row: int,
        features: Floats,
        as_of: datetime,
    ) -> Forecast | Failure:
        artifact = predictor.artifact
        p10, p50, p90 = (float(array[row]) for array in (arrays.price_p10, arrays.price_p50, arrays.price_p90))
        if not np.isfinite((arrays.expected_return[row], arrays.p_up[row], p10, p90)).all():
            return Failure(quote, Status.COLD_WINDOW, "too few sessions of this ticker are known for its volatility")
        prediction = Prediction(
            prediction_id=prediction_id(quote.quote_id, HORIZON, artifact.version),
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
            expected_return=float(arrays.expected_return[row]),
            predicted_price=float(arrays.predicted_price[row]),
            p_up=float(arrays.p_up[row]),
            confidence=float(arrays.confidence[row]),
            interval=Interval(p10=p10, p50=p50, p90=p90),
            flags=self._flags(predictor, quote, features, as_of),
            bars_as_of=self.bars_as_of,
            market_quote_id=self._market_of(quote),
        )
        return Forecast(quote, prediction, dict(zip(EARNINGS_FEATURES, features.tolist(), strict=True)))

    def _market_of(self, quote: Quote) -> uuid.UUID | None:
        """The market's quote in force, where it has one in this quote's session."""
        market = self._market_quote
        return market.quote_id if market and market.session_date == quote.session_date else None

    def _flags(self, predictor: Predictor, quote: Quote, features: Floats, as_of: datetime) -> tuple[Flag, ...]:
        raised = {
            Flag.REPLAY: quote.feed.startswith("replay/"),
            Flag.PROVISIONAL_BAR: not quote.final,
            Flag.COLD_WINDOW: self.state.bars_seen[self.state.index_of[quote.ticker]] < FULL_WINDOW,
            Flag.MARKET_MISSING: bool(np.isnan(features[_MARKET_RETURN])),
            Flag.EARNINGS_UNKNOWN: quote.ticker in self.unreported,
            Flag.MODEL_EXPIRED: quote.session_date > predictor.artifact.valid_until,
            Flag.STALE: (as_of - quote.received_at).total_seconds() > self.stale_after_seconds,
            Flag.IN_SAMPLE: quote.session_date <= predictor.artifact.trained_through,
            Flag.HALTED: quote.ticker in self.announced.halted,
            Flag.SESSION_CLOSED: quote.final or self.announced.outside_session(quote.session_date, quote.data_time),
        }
        return tuple(flag for flag, is_raised in raised.items() if is_raised)
