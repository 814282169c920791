"""What of a wave the cache shows: the hashes of quotes, predictions, features and models."""

from collections.abc import Mapping
from functools import cache

import msgspec

from riskee.messaging.messages import Flag, Prediction, Quote
from riskee.messaging.statuses import gravest
from riskee.model.predictor import Predictor
from riskee.storage import keys
from riskee.storage.cache import Entry, Place

_encode = msgspec.json.Encoder().encode


@cache
def _status_of(flags: tuple[Flag, ...]) -> str:
    return gravest(flags).value


def quote_entry(quote: Quote) -> Entry:
    """`quote:{ticker}`."""
    fields = {
        keys.BODY: _encode(quote).decode(),
        "price": repr(quote.price),
        "data_time": quote.data_time.isoformat(),
    }
    return Entry(keys.QUOTE, {"ticker": quote.ticker}, fields, _place_of(quote))


def _place_of(quote: Quote) -> Place:
    return Place(quote.feed, quote.data_time, quote.sequence)


def forecast_entries(
    quote: Quote, prediction: Prediction, body: bytes, features: Mapping[str, float]
) -> tuple[Entry, Entry]:
    """`pred:{ticker}`, where `body` is the prediction's JSON, and `features:{ticker}`."""
    place = _place_of(quote)
    parts, data_time = {"ticker": prediction.ticker}, prediction.data_time.isoformat()
    shown = {
        keys.BODY: body.decode(),
        "price": repr(prediction.price),
        "expected_return": repr(prediction.expected_return),
        "p_up": repr(prediction.p_up),
        "data_time": data_time,
        "model_version": prediction.model_version,
        "status": _status_of(prediction.flags),
    }
    # NaN is null in JSON: a feature whose window is not full.
    inputs = {keys.BODY: _encode(features).decode(), "data_time": data_time}
    return Entry(keys.PREDICTION, parts, shown, place), Entry(keys.FEATURES, parts, inputs, place)


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
    return Entry(keys.ACTIVE_MODEL, {"type": artifact.model_type}, {keys.BODY: _encode(shown).decode(), **shown})
