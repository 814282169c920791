"""What the models see of a ticker."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from riskee.errors import RetryableError
from riskee.features.definitions import FEATURES, feature_set_hash
from riskee.messaging.messages import MODEL_TYPES, ModelType
from riskee.storage import keys
from riskee.storage.cache import decoded
from riskee.storage.daily_features import latest_features
from serving.api.answers import answers
from serving.api.backend import Backend
from serving.api.parameters import TickerPath
from serving.api.problems import ProblemError
from serving.api.replies import backend_of, kept

router = APIRouter(tags=["features"])
Values = dict[str, float | None]


class FeatureAnswer(msgspec.Struct, frozen=True):
    """A feature; `value` is null where its window is not full."""

    value: float | None
    unit: str
    label: str
    definition: str


class FeaturesAnswer(msgspec.Struct, frozen=True):
    """The features of a ticker by name, in the models' order.

    `source` says where they are from: those of the latest prediction (`cache`, then `data_time` is its quote's), or
    those computed of the last whole session (`database`, then `session_date` names it). `feature_sets` are the hashes
    of the model types' inputs: they change with any definition.
    """

    ticker: str
    source: Literal["cache", "database"]
    data_time: datetime | None
    session_date: date | None
    feature_sets: dict[ModelType, str]
    features: dict[str, FeatureAnswer]


@router.get("/features/{ticker}", responses=answers(FeaturesAnswer, 404, 422))
async def features(request: Request, ticker: TickerPath) -> Response:
    """The features of a ticker's latest prediction, or of its last whole session where the cache has none."""
    backend = backend_of(request)
    name = await backend.directory.predicted(ticker)
    return kept(request, await _cached(backend, name) or await _stored(backend, name))


async def _cached(backend: Backend, ticker: str) -> FeaturesAnswer | None:
    try:
        body, moment = await backend.cache.fields(keys.FEATURES, (keys.BODY, "data_time"), ticker=ticker)
    except RetryableError:
        return None
    values = decoded(body, Values)
    if values is None or moment is None:
        return None
    return _answer(
        ticker,
        "cache",
        values,
        data_time=msgspec.convert(moment.decode() if isinstance(moment, bytes) else moment, datetime),
    )


async def _stored(backend: Backend, ticker: str) -> FeaturesAnswer:
    found = await backend.database.run(lambda connection: latest_features(connection, ticker))
    if found is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "no_features",
            f"no features of {ticker} are known",
            "wait for its next prediction, or materialise the features in Dagster",
        )
    return _answer(ticker, "database", found.values, session_date=found.session_date)


def _answer(
    ticker: str,
    source: Literal["cache", "database"],
    values: Values,
    data_time: datetime | None = None,
    session_date: date | None = None,
) -> FeaturesAnswer:
    named = {one.name: FeatureAnswer(values.get(one.name), one.unit, one.label, one.definition) for one in FEATURES}
    hashes = {model_type: feature_set_hash(model_type) for model_type in MODEL_TYPES}
    return FeaturesAnswer(ticker, source, data_time, session_date, hashes, named)
