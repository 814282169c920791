"""The registry of models: the table `model_metadata`. Which of them predicts: `riskee.model.aliases`."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from sqlalchemy import Connection, Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert

from riskee.errors import NotFoundError, PoisonError
from riskee.messaging.messages import ModelType
from riskee.model.aliases import CHAMPION, Action, ModelEvent, champion_version, lock, move, read_events
from riskee.model.artifact import UNFIT_REMEDY, ModelArtifact
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
    decision: Literal["promoted", "refused"]
    reason: str
    run_id: str | None
    created_at: datetime


_ARTIFACT = select(
    *(
        model_metadata.c[name]
        for name in ("model_version", "model_type", "artifact", "artifact_sha256", "feature_set", "trained_through")
    )
)


class Registration(StrEnum):
    """What became of a registration."""

    NEW = "now"
    KNOWN = "before"
    # Known, but its stored artifact was not the one registered: now it is again.
    MENDED = "before, its artifact was mended"
    # Known and refused; another training on the same data found the way free since.
    PROMOTED = "before, it was refused then"


def register(
    connection: Connection, result: "TrainingResult", run_id: str | None, created_at: datetime
) -> Registration:
    """Store a model and, by its decision, make it champion or challenger, in the connection's transaction.

    A model that is already there keeps its decision and alias, but for one that was never anything but refused and is
    to be promoted now. One that was to replace another champion than the present one is refused. Registering is safe to
    repeat and to run in parallel.
    """
    lock(connection)
    artifact, version = result.artifact, result.artifact.version
    known = connection.execute(_ARTIFACT.where(model_metadata.c.model_version == version)).one_or_none()
    decision, reason = _decision(result, champion_version(connection, artifact.model_type))
    event = ModelEvent(created_at, artifact.model_type, version, decision, reason, run_id=run_id)
    if known is not None:
        mended = _mend(connection, known, artifact)
        return Registration.PROMOTED if _promote_after_all(connection, event) else mended
    connection.execute(
        insert(model_metadata).values(
            model_version=version,
            **_identity(artifact),
            training_rows=result.rows,
            trials=result.trials,
            data_sha256=result.data_sha256,
            code_version=result.code_version,
            parameters=result.parameters,
            metrics=result.metrics,
            baselines=result.baselines,
            evaluation=msgspec.to_builtins(result.evaluation),
            decision=decision.value,
            reason=reason,
            run_id=run_id,
            created_at=created_at,
        )
    )
    move(connection, event)
    return Registration.NEW


def _promote_after_all(connection: Connection, event: ModelEvent) -> bool:
    """Promote a known model that was only ever refused, if that is decided now: what a person decided stands."""
    of_it = (one for one in read_events(connection, event.model_type) if one.model_version == event.model_version)
    if event.action is not Action.PROMOTED or any(one.action is not Action.REFUSED for one in of_it):
        return False
    changed = update(model_metadata).where(model_metadata.c.model_version == event.model_version)
    connection.execute(changed.values(decision=event.action.value, reason=event.reason, run_id=event.run_id))
    move(connection, event)
    return True


def _decision(result: "TrainingResult", present: str | None) -> tuple[Action, str]:
    """The decision on a model and its reason; a promotion over another champion than the present one is none."""
    decision = Action(result.decision)
    if decision is Action.REFUSED or present in (None, result.against):
        return decision, result.reason
    told = f"the champion changed since: it was {result.against or 'none'}, now it is {present}"
    return Action.REFUSED, f"{told}; what was decided: {result.reason}"


def _mend(connection: Connection, known: Row[Any], artifact: ModelArtifact) -> Registration:
    """Put a known model's artifact in place of a damaged one: its version is that of its bytes."""
    try:
        _checked(known)
    except PoisonError:
        changed = update(model_metadata).where(model_metadata.c.model_version == artifact.version)
        connection.execute(changed.values(**_identity(artifact)))
        return Registration.MENDED
    return Registration.KNOWN


def _identity(artifact: ModelArtifact) -> dict[str, Any]:
    """The columns that follow from an artifact alone."""
    return {
        "model_type": artifact.model_type,
        "artifact": artifact.to_bytes(),
        "artifact_sha256": artifact.sha256,
        "feature_set": artifact.feature_set,
        "horizon": artifact.horizon,
        "trained_from": artifact.trained_from,
        "trained_through": artifact.trained_through,
    }


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
            f"the registry was altered: {UNFIT_REMEDY}",
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


def read_evaluation(connection: Connection, version: str) -> dict[str, Any]:
    """A model's whole evaluation, as plain values of `riskee.model.evidence`. Raises as `read_model`."""
    stored: dict[str, Any] = _one(connection, select(model_metadata.c.evaluation), version).evaluation
    return stored
