"""Predictions made for the tests of the API, and where it finds them."""

import uuid
from datetime import UTC, datetime, timedelta

import msgspec

from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import Flag, Prediction
from riskee.storage import keys
from riskee.storage.cache import Cache
from riskee.storage.entries import Entry
from tests.unit.messaging import samples


def made(ticker: str = "AAPL", price: float = 100.0, age: float = 0.0) -> Prediction:
    return msgspec.structs.replace(
        samples.PREDICTION,
        prediction_id=uuid.uuid4(),
        ticker=ticker,
        price=price,
        prediction_time=datetime.now(UTC) - timedelta(seconds=age),
        flags=(Flag.REPLAY,),
    )


def sealed(prediction: Prediction, correlation: uuid.UUID | None = None) -> Envelope[Prediction]:
    identity = uuid.uuid4()
    return wrap(
        prediction, message_id=identity, correlation_id=correlation or identity, source="test", at=prediction.as_of
    )


async def put(cache: Cache, *predictions: Prediction) -> None:
    await cache.write(
        [
            Entry.of(keys.PREDICTION, {"ticker": prediction.ticker}, {"body": msgspec.json.encode(prediction)})
            for prediction in predictions
        ]
    )
