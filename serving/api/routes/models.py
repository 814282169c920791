"""The registered models."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from riskee.messaging.messages import ModelType
from riskee.model.aliases import Action, ModelEvent, read_events
from riskee.model.registry import RegisteredModel, list_models, read_evaluation, read_model
from riskee.model.validity import valid_until
from serving.api.answers import answers
from serving.api.replies import backend_of, kept

router = APIRouter(tags=["models"])


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A model: its lineage, how it measured in walk-forward beside the baselines, and what was decided.

    `alias` is champion for the one that predicts, challenger for the last one that was refused. After `expires_at` its
    predictions are flagged; null where it was not looked up: the list tells it of models with an alias.
    """

    model_version: str
    model_type: ModelType
    alias: str | None
    trained_from: date
    trained_through: date
    expires_at: date | None
    training_rows: int
    trials: int
    artifact_sha256: str
    data_sha256: str
    feature_set: str
    code_version: str
    horizon: str
    parameters: dict[str, float | int | bool | str]
    metrics: dict[str, float | None]
    baselines: dict[str, dict[str, float | None]]
    decision: str
    reason: str
    run_id: str | None
    created_at: datetime


class DecisionAnswer(msgspec.Struct, frozen=True):
    """What was decided about a model, and the champion before."""

    at: datetime
    action: Action
    reason: str
    former_champion: str | None


class WholeModelAnswer(ModelAnswer, frozen=True, kw_only=True):
    """A model with its whole evaluation: measures with intervals by method, regime, year and ticker, calibration,
    importance, and the sealed holdout where it was opened; and the decisions about it, latest first."""

    evaluation: dict[str, Any]
    decisions: tuple[DecisionAnswer, ...]


@router.get("/models", responses=answers(list[ModelAnswer], 422))
async def models(request: Request, limit: Annotated[int, Query(ge=1, le=500, description="how many")] = 50) -> Response:
    """The registered models, newest first."""

    def read(connection: Connection) -> list[ModelAnswer]:
        found = list_models(connection, limit)
        expiring = valid_until(connection, [one.model_version for one in found if one.alias])
        return [ModelAnswer(**_values(one), expires_at=expiring.get(one.model_version)) for one in found]

    return kept(request, await backend_of(request).database.run(read))


@router.get("/models/{version}", responses=answers(WholeModelAnswer, 404, 422))
async def model(
    request: Request,
    version: Annotated[str, Path(pattern=r"^[A-Za-z0-9._\-]{1,64}$", examples=["normal-20121109-5f0c2a91"])],
) -> Response:
    """One model with its whole evaluation."""

    def read(connection: Connection) -> WholeModelAnswer:
        found = read_model(connection, version)
        events = [one for one in read_events(connection, found.model_type) if one.model_version == version]
        return WholeModelAnswer(
            **_values(found),
            expires_at=valid_until(connection, [version]).get(version),
            evaluation=read_evaluation(connection, version),
            decisions=tuple(map(_decision, events)),
        )

    return kept(request, await backend_of(request).database.run(read))


def _values(model: RegisteredModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in RegisteredModel.__dataclass_fields__}


def _decision(event: ModelEvent) -> DecisionAnswer:
    return DecisionAnswer(event.at, event.action, event.reason, event.former_champion)
