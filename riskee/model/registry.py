"""The registry of models: the table `model_metadata`. Which of them predicts: `riskee.model.aliases`."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from riskee.errors import NotFoundError, PoisonError
from riskee.messaging.messages import ModelType
from riskee.model.aliases import CHAMPION, Action, ModelEvent, lock, move
from riskee.model.artifact import ModelArtifact
from riskee.storage.tables import model_metadata

if TYPE_CHECKING:
    from riskee.model.training import TrainingResult


@dataclass(frozen=True)
class RegisteredModel:
    """What the registry says of a model, without its artifact and its whole evaluation."""

    model_version: str
    model_type: ModelType
    alias: str | None
    artifact_sha256: str
    feature_set: str
    horizon: str
    trained_from: date
    trained_through: date
    training_rows: int
    trials: int
    data_sha256: str
    code_version: str
    parameters: dict[str, float | int | bool | str]
    metrics: dict[str, float | None]
    baselines: dict[str, dict[str, float | None]]
    decision: str
    reason: str
    run_id: str | None
    created_at: datetime


def register(connection: Connection, result: "TrainingResult", run_id: str | None, created_at: datetime) -> bool:
    """Store a model and, by its decision, make it champion or challenger, in the connection's transaction.

    A model that is already there is left as it is: False. Registering is safe to repeat and to run in parallel.
    """
    lock(connection)
    artifact, table = result.artifact, model_metadata.c
    known = connection.scalar(select(table.model_version).where(table.model_version == artifact.version))
    if known is not None:
        return False
    connection.execute(
        insert(model_metadata).values(
            model_version=artifact.version,
            model_type=artifact.model_type,
            artifact=artifact.to_bytes(),
            artifact_sha256=artifact.sha256,
            feature_set=artifact.feature_set,
            horizon=artifact.horizon,
            trained_from=artifact.trained_from,
            trained_through=artifact.trained_through,
            training_rows=result.rows,
            trials=result.trials,
            data_sha256=result.data_sha256,
            code_version=result.code_version,
            parameters=result.parameters,
            metrics=result.metrics,
            baselines=result.baselines,
            evaluation=msgspec.to_builtins(result.evaluation),
            decision=result.decision,
            reason=result.reason,
            run_id=run_id,
            created_at=created_at,
        )
    )
    decision = Action(result.decision)
    event = ModelEvent(created_at, artifact.model_type, artifact.version, decision, result.reason, run_id=run_id)
    move(connection, event)
    return True


_ARTIFACT = select(
    *(
        model_metadata.c[name]
        for name in ("model_version", "model_type", "artifact", "artifact_sha256", "feature_set", "trained_through")
    )
)


def champion(connection: Connection, model_type: ModelType) -> ModelArtifact | None:
    """The model that predicts, checked; None before the first training.

    Raises PoisonError when the stored artifact is not the one that was registered.
    """
    table = model_metadata.c
    row = connection.execute(_ARTIFACT.where(table.model_type == model_type, table.alias == CHAMPION)).one_or_none()
    return None if row is None else _checked(row)


def load_model(connection: Connection, version: str) -> ModelArtifact:
    """A registered model, whatever became of it, checked.

    Raises NotFoundError for an unknown version, PoisonError when the stored artifact is not the one registered.
    """
    return _checked(_one(connection, _ARTIFACT, version))


def _one(connection: Connection, query: Select[Any], version: str) -> Row[Any]:
    row = connection.execute(query.where(model_metadata.c.model_version == version)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no model {version}", "`riskee models list` names them")
    return row


def _checked(row: Row[Any]) -> ModelArtifact:
    """The artifact of a row: of its digest, and saying of itself what the row says."""
    artifact = ModelArtifact.from_bytes(bytes(row.artifact), row.artifact_sha256)
    told = (artifact.version, artifact.model_type, artifact.feature_set, artifact.trained_through)
    if told != (row.model_version, row.model_type, row.feature_set, row.trained_through):
        raise PoisonError(
            f"the artifact stored as {row.model_version} says that it is {artifact.version}, of type "
            f"{artifact.model_type} with the features {artifact.feature_set}",
            "the registry was altered: train and register the model again",
        )
    return artifact


def count_trials(connection: Connection, model_type: ModelType) -> int:
    """How many models of a type were registered so far."""
    table = model_metadata.c
    return connection.scalar(select(func.count()).where(table.model_type == model_type)) or 0


def count_openings(connection: Connection, model_type: ModelType, holdout_from: date) -> int:
    """How many registered models of a type were scored on a holdout that reaches to `holdout_from` or beyond."""
    table = model_metadata.c
    last = table.evaluation["holdout"]["last"].astext
    there = (table.model_type == model_type, last >= holdout_from.isoformat())
    return connection.scalar(select(func.count()).where(*there)) or 0


_MODELS = select(*(model_metadata.c[name] for name in RegisteredModel.__dataclass_fields__))


def list_models(connection: Connection, limit: int = 100) -> list[RegisteredModel]:
    """The registered models, newest first."""
    newest = _MODELS.order_by(model_metadata.c.created_at.desc(), model_metadata.c.model_version)
    return [RegisteredModel(*row) for row in connection.execute(newest.limit(limit))]


def read_model(connection: Connection, version: str) -> RegisteredModel:
    """What the registry says of one model. Raises NotFoundError for an unknown version."""
    return RegisteredModel(**_one(connection, _MODELS, version)._mapping)
