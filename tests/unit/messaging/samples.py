"""One message of each subject, fixed for ever. `python -m tests.unit.messaging.samples` writes the golden files."""

import uuid
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from riskee.documents.document import document_path
from riskee.messaging.envelope import Codec, Envelope, wrap
from riskee.messaging.explanations import Driver, ExplainProgress, ExplainRequest, Explanation, Record, SourceDocument
from riskee.messaging.messages import (
    Accuracy,
    ChampionWatch,
    DeadLetter,
    Flag,
    Interval,
    MarketState,
    MarketStatus,
    ModelPromoted,
    Prediction,
    PredictionFailed,
    PredictJob,
    Presence,
    Quote,
)
from riskee.messaging.standing import FeedStatus, StaleTickers
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import SUBJECTS, UNSTORED

FOLDER = Path(__file__).parents[2] / "golden" / "messages"
DATA_TIME = datetime(2012, 9, 6, 20, tzinfo=UTC)
NOW = datetime(2026, 1, 5, 12, 0, 0, 250000, tzinfo=UTC)


def identity(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


QUOTE = Quote(
    quote_id=identity(1),
    feed="replay/1",
    ticker="AAPL",
    data_time=DATA_TIME,
    received_at=NOW,
    session_date=date(2012, 9, 6),
    sequence=3,
    price=676.27,
    open=673.17,
    high=678.29,
    low=670.8,
    volume=97_799_100.0,
    adjustment_factor=0.98,
    final=True,
)
PREDICTION = Prediction(
    prediction_id=identity(2),
    quote_id=QUOTE.quote_id,
    ticker=QUOTE.ticker,
    feed=QUOTE.feed,
    data_time=QUOTE.data_time,
    prediction_time=QUOTE.received_at,
    as_of=NOW,
    session_date=QUOTE.session_date,
    horizon="1d",
    model_type="normal",
    model_version="normal-20120905-0a1b2c3d",
    feature_set="0123456789ab",
    price=QUOTE.price,
    expected_return=0.0012,
    predicted_price=677.08,
    p_up=0.53,
    confidence=0.53,
    interval=Interval(p10=662.1, p50=676.9, p90=691.4),
    flags=(Flag.REPLAY, Flag.COLD_WINDOW),
    bars_as_of=NOW,
    market_quote_id=identity(6),
)
_DOCUMENT = SourceDocument(
    document_id=identity(4),
    collection="technical_patterns",
    title="Golden cross",
    snippet="The medium average rose above the long one.",
    source="derived",
    published_at=DATA_TIME,
    score=0.71,
    ticker="AAPL",
    known_at=DATA_TIME,
    url=document_path(identity(4)),
)
WATCHED = ChampionWatch(
    model_type="normal",
    model_version="normal-20120905-0a1b2c3d",
    decay={"accuracy": 0.02, "calibration": 0.4, "coverage": 0.01},
    drift_p_value=0.2,
    drift={"return_5d": 1.1},
)
PAYLOADS: dict[str, msgspec.Struct] = {
    "data.market.quote": QUOTE,
    "data.market.status": MarketStatus(feed="replay/1", state=MarketState.OPEN, data_time=DATA_TIME),
    "job.predict.normal": PredictJob(job_id=identity(3), ticker="AAPL", requested_at=NOW),
    "job.predict.earnings": PredictJob(job_id=identity(3), ticker="BRK.B", requested_at=NOW),
    "event.prediction.updated": PREDICTION,
    "event.prediction.failed": PredictionFailed(
        ticker="AAPL", feed="replay/1", data_time=DATA_TIME, status=Status.NO_MODEL, reason="no normal model"
    ),
    "event.prediction.status": FeedStatus(
        feed="replay/1", status=Status.FEED_MUTE, since=NOW, halted=("IBM",), slots=(3, 7), read_through=12
    ),
    "beat.predict": FeedStatus(feed="replay/1", status=Status.OK, since=NOW, slots=(3, 7)),
    "presence.predict": Presence(member=identity(12), partitions=4, holds=("1-of-4", "undivided")),
    "event.prediction.stale": StaleTickers(feed="replay/1", tickers=("AAPL", "IBM"), since=NOW),
    "event.model.promoted": ModelPromoted(
        model_type="earnings", model_version="earnings-20120905-0a1b2c3d", artifact_sha256="0" * 64, reason="first"
    ),
    "thought.prediction.explain": ExplainRequest(prediction=PREDICTION, requested_at=NOW),
    "thought.prediction.explained": Explanation(
        explanation_id=identity(5),
        prediction_id=PREDICTION.prediction_id,
        ticker="AAPL",
        data_time=DATA_TIME,
        created_at=NOW,
        text="The model expects a small rise.",
        drivers=(
            Driver(
                name="the recent move",
                feature="return_5d",
                value=0.01,
                contribution=0.0003,
                label="the move over a week",
                unit="log return",
                shown="+1.0%",
            ),
        ),
        sources=(_DOCUMENT,),
        generator="model",
        verified=True,
        llm="qwen2.5-coder:0.5b",
        prompt_version="2.0.0+0a1b2c3d",
        seconds=6.1,
        occasion="material",
        facts_sha256="f" * 64,
        record=Record(
            outcomes=240,
            sessions=200,
            hit_rate=0.51,
            hit_rate_low=0.45,
            hit_rate_high=0.57,
            chance=0.52,
            verdict="no better than chance",
        ),
        dropped={"number": 1},
        tokens_in=412,
        tokens_out=57,
    ),
    "beat.explain": ExplainProgress(
        prediction_id=PREDICTION.prediction_id,
        ticker="AAPL",
        stage="writing",
        tokens=31,
        sentence="The medium average rose above the long one.",
    ),
    "metrics.model.accuracy": Accuracy(
        model_type="normal", model_version="normal-20120905-0a1b2c3d", outcomes=240, hit_rate=0.51, brier=0.249
    ),
    "metrics.model.normal": WATCHED,
    "metrics.model.earnings": msgspec.structs.replace(WATCHED, model_type="earnings"),
    "dead.data.market.quote": DeadLetter(
        subject="data.market.quote", reason="negative_price", body='{"price":-1}', failed_at=NOW, source="ingest"
    ),
}


def sample(subject: str) -> Envelope[Any]:
    """The envelope of a subject's golden file."""
    return wrap(PAYLOADS[subject], message_id=identity(10), correlation_id=identity(11), source="test", at=NOW)


def golden(subject: str) -> Path:
    return FOLDER / f"{subject}.json"


def encoded(subject: str, codec: Codec[Any]) -> str:
    return msgspec.json.format(codec.encode(sample(subject)), indent=2).decode() + "\n"


if __name__ == "__main__":
    for each in (*SUBJECTS, *UNSTORED):
        golden(each.name).write_text(encoded(each.name, each.codec))
