"""The registry of models: the table `model_metadata`."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert

from riskee.errors import NotFoundError
from riskee.messaging.messages import ModelType
from riskee.model.artifact import ModelArtifact
from riskee.storage.tables import model_metadata

if TYPE_CHECKING:
    from riskee.model.training import TrainingResult

CHAMPION, CHALLENGER = "champion", "challenger"
# Identifies registration among PostgreSQL's advisory locks: aliases are moved by one at a time.
_LOCK = 0x5269736B03


@dataclass(frozen=True)
class RegisteredModel:
    """What the registry says of a model, without its artifact."""

    model_version: str
    model_type: ModelType
    alias: str | None
    artifact_sha256: str
    feature_set: str
    trained_from: date
    trained_through: date
    training_rows: int
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
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    artifact, table = result.artifact, model_metadata.c
    alias = CHAMPION if result.decision == "promoted" else CHALLENGER
    known = connection.scalar(select(table.model_version).where(table.model_version == artifact.version))
    if known is not None:
        return False
    connection.execute(
        update(model_metadata)
        .where(table.model_type == artifact.model_type, table.alias.in_(_replaced_by(alias)))
        .values(alias=None)
    )
    connection.execute(
        insert(model_metadata).values(
            model_version=artifact.version,
            model_type=artifact.model_type,
            alias=alias,
            artifact=artifact.to_bytes(),
            artifact_sha256=artifact.sha256,
            feature_set=artifact.feature_set,
            horizon=artifact.horizon,
            trained_from=artifact.trained_from,
            trained_through=artifact.trained_through,
            training_rows=result.rows,
            data_sha256=result.data_sha256,
            code_version=result.code_version,
            parameters=result.parameters,
            metrics=result.metrics,
            baselines=result.baselines,
            decision=result.decision,
            reason=result.reason,
            run_id=run_id,
            created_at=created_at,
        )
    )
    return True


def _replaced_by(alias: str) -> tuple[str, ...]:
    """A new champion ends the challenger's wait too."""
    return (CHAMPION, CHALLENGER) if alias == CHAMPION else (CHALLENGER,)


def champion(connection: Connection, model_type: ModelType) -> ModelArtifact | None:
    """The model that predicts, checked against its digest; None before the first training.

    Raises PoisonError when the stored artifact was altered.
    """
    table = model_metadata.c
    row = connection.execute(
        select(table.artifact, table.artifact_sha256).where(table.model_type == model_type, table.alias == CHAMPION)
    ).one_or_none()
    return None if row is None else ModelArtifact.from_bytes(bytes(row.artifact), row.artifact_sha256)


def load_model(connection: Connection, version: str) -> ModelArtifact:
    """A registered model, whatever became of it, checked against its digest.

    Raises NotFoundError for an unknown version, PoisonError when the stored artifact was altered.
    """
    table = model_metadata.c
    row = connection.execute(
        select(table.artifact, table.artifact_sha256).where(table.model_version == version)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no model {version}", "`riskee doctor` names the champions")
    return ModelArtifact.from_bytes(bytes(row.artifact), row.artifact_sha256)


def list_models(connection: Connection, limit: int = 100) -> list[RegisteredModel]:
    """The registered models, newest first."""
    fields = [model_metadata.c[name] for name in RegisteredModel.__dataclass_fields__]
    newest = select(*fields).order_by(model_metadata.c.created_at.desc(), model_metadata.c.model_version)
    return [RegisteredModel(*row) for row in connection.execute(newest.limit(limit))]
