"""What of a wave the cache shows: the hashes of quotes, predictions, features and models."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from riskee.features.definitions import EARNINGS_FEATURES
from riskee.messaging.messages import Flag, Prediction, Quote
from riskee.messaging.statuses import gravest
from riskee.model.predictor import Predictor
from riskee.storage import keys
from riskee.storage.entries import PLACE, Entry, Hash, Place

_encode = msgspec.json.Encoder().encode
# Made and encoded in half of a dict's time.
_Features: Any = msgspec.defstruct("Features", [(name, float) for name in EARNINGS_FEATURES], frozen=True, gc=False)


class _Heads(NamedTuple):
    """How the hashes of a ticker begin: seconds to live, name, and the field that comes first."""

    quote: Hash
    prediction: Hash
    features: Hash


@cache
def _heads_of(ticker: str) -> _Heads:
    # Of every wave again, and there are only so many tickers.
    of = ((key.seconds, key.of(ticker=ticker), PLACE) for key in (keys.QUOTE, keys.PREDICTION, keys.FEATURES))
    return _Heads(*of)


@cache
def _status_of(flags: tuple[Flag, ...]) -> str:
    return gravest(flags).value


def place_of(quote: Quote) -> Place:
    """Where in its feed is what the cache shows of a quote."""
    return Place.of(quote.feed, quote.data_time, quote.sequence)


def quote_entry(quote: Quote, place: Place) -> Entry:
    """`quote:{ticker}`."""
    head, body = _heads_of(quote.ticker).quote, _encode(quote).decode()
    return Entry(place, ((*head, place.text, keys.BODY, body, "price", repr(quote.price)),))


def forecast_entry(prediction: Prediction, body: bytes, features: Sequence[float], place: Place) -> Entry:
    """`pred:{ticker}`, where `body` is the prediction's JSON, and `features:{ticker}`, in the order of
    EARNINGS_FEATURES."""
    heads = _heads_of(prediction.ticker)
    shown = (
        *heads.prediction,
        place.text,
        keys.BODY,
        body.decode(),
        "price",
        repr(prediction.price),
        "expected_return",
        repr(prediction.expected_return),
        "p_up",
        repr(prediction.p_up),
        "model_version",
        prediction.model_version,
        "status",
        _status_of(prediction.flags),
    )
    # NaN is null in JSON: a feature whose window is not full.
    inputs = _encode(_Features(*features)).decode()
    data_time = prediction.data_time.isoformat()
    return Entry(place, (shown, (*heads.features, place.text, keys.BODY, inputs, "data_time", data_time)))


def model_entry(predictor: Predictor) -> Entry:
    """`model:{type}:active`."""
    artifact = predictor.artifact
    shown = {
        "model_version": predictor.version,
        "artifact_sha256": artifact.sha256,
        "feature_set": artifact.feature_set,
        "trained_from": artifact.trained_from.isoformat(),
        "trained_through": artifact.trained_through.isoformat(),
        "valid_until": artifact.valid_until.isoformat(),
    }
    return Entry.of(keys.ACTIVE_MODEL, {"type": artifact.model_type}, {keys.BODY: _encode(shown).decode(), **shown})
