"""Every subject, declared once, with the message it carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from riskee.messaging.envelope import Codec, PayloadT
from riskee.messaging.explanations import ExplainProgress, ExplainRequest, Explanation
from riskee.messaging.messages import (
    Accuracy,
    ChampionWatch,
    DeadLetter,
    MarketStatus,
    ModelPromoted,
    ModelType,
    Prediction,
    PredictionFailed,
    PredictJob,
    Presence,
    Quote,
)
from riskee.messaging.standing import FeedStatus, StaleTickers


@dataclass(frozen=True)
class Subject(Generic[PayloadT]):
    """A subject, the payload on it and what it is for."""

    name: str
    payload: type[PayloadT]
    purpose: str

    @property
    def codec(self) -> Codec[PayloadT]:
        """A codec for this subject; make it once per process, not per message."""
        return Codec(self.payload)


QUOTE = Subject("data.market.quote", Quote, "the running bar of a ticker")
MARKET_STATUS = Subject("data.market.status", MarketStatus, "session and feed state")
PREDICT_NORMAL = Subject("job.predict.normal", PredictJob, "predict now with the normal model")
PREDICT_EARNINGS = Subject("job.predict.earnings", PredictJob, "predict now with the earnings model")
PREDICTION_UPDATED = Subject("event.prediction.updated", Prediction, "a new prediction")
PREDICTION_FAILED = Subject("event.prediction.failed", PredictionFailed, "why a ticker has no prediction")
PREDICTION_STATUS = Subject("event.prediction.status", FeedStatus, "where a feed and its numbers stand")
PREDICTION_STALE = Subject("event.prediction.stale", StaleTickers, "tickers whose numbers became stale")
MODEL_PROMOTED = Subject("event.model.promoted", ModelPromoted, "a new champion")
EXPLAIN = Subject("thought.prediction.explain", ExplainRequest, "explain a prediction")
EXPLAINED = Subject("thought.prediction.explained", Explanation, "an explanation")
ACCURACY = Subject("metrics.model.accuracy", Accuracy, "live accuracy of a model")
WATCH_NORMAL = Subject("metrics.model.normal", ChampionWatch, "decay and drift of the normal champion")
WATCH_EARNINGS = Subject("metrics.model.earnings", ChampionWatch, "decay and drift of the earnings champion")
DEAD_QUOTE = Subject("dead.data.market.quote", DeadLetter, "a quote that failed validation")

SUBJECTS = (
    QUOTE,
    MARKET_STATUS,
    PREDICT_NORMAL,
    PREDICT_EARNINGS,
    PREDICTION_UPDATED,
    PREDICTION_FAILED,
    PREDICTION_STATUS,
    PREDICTION_STALE,
    MODEL_PROMOTED,
    EXPLAIN,
    EXPLAINED,
    ACCURACY,
    WATCH_NORMAL,
    WATCH_EARNINGS,
    DEAD_QUOTE,
)

WATCH_OF: Mapping[ModelType, Subject[ChampionWatch]] = {"normal": WATCH_NORMAL, "earnings": WATCH_EARNINGS}

# On plain NATS, in no stream: a sign of life is worth nothing later.
BEAT = Subject("beat.predict", FeedStatus, "predict lives, and where the feed stands")
PRESENCE = Subject("presence.predict", Presence, "a predictor lives, and what it holds")
EXPLAINING = Subject("beat.explain", ExplainProgress, "how far an explanation is")
UNSTORED = (BEAT, PRESENCE, EXPLAINING)
