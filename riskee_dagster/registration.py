"""From a trained candidate to the registry: its row, its report, its announcement."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from riskee_dagster.declare import WHY_TAG
from riskee_dagster.resources import Platform

if TYPE_CHECKING:
    from riskee.model.registry import RegisteredModel
    from riskee.model.training import TrainingResult


def register_candidate(run: dg.DagsterRun, riskee: Platform, candidate: "TrainingResult") -> dg.MaterializeResult[None]:
    """Store a candidate with its decision, write its report where that is new, and announce its promotion."""
    from riskee.model.aliases import champion_version
    from riskee.model.artifact import report_path
    from riskee.model.registry import Registration, read_evaluation, read_model, register
    from riskee.model.report import write_report
    from riskee.storage.database import database_errors

    artifact = candidate.artifact
    with database_errors(), riskee.engine.begin() as connection:
        done = register(connection, candidate, run.run_id, riskee.clock.now())
        model = read_model(connection, artifact.version)
        evaluation = read_evaluation(connection, artifact.version)
        predicting = champion_version(connection, artifact.model_type)
    report = report_path(riskee.settings.home, artifact.version)
    # A new model may have the report of a deleted registry, one that is promoted after all that of its refusal.
    if done in (Registration.NEW, Registration.PROMOTED) or not report.exists():
        write_report(riskee.settings.home, _as_registered(candidate, model, evaluation))
    return dg.MaterializeResult(
        metadata={
            "champion": predicting or "none",
            "candidate": artifact.version,
            "decision": model.decision,
            "reason": model.reason,
            "trained_because": run.tags.get(WHY_TAG, "it was asked for"),
            "registered": done.value,
            "report": dg.MetadataValue.path(str(report)),
            "bus": _announce(run, riskee, model) if predicting == artifact.version else "nothing to publish",
        }
    )


def _as_registered(
    candidate: "TrainingResult", model: "RegisteredModel", evaluation: dict[str, Any]
) -> "TrainingResult":
    """A candidate with what the registry says of it: a training repeated on the same data decides and counts again."""
    import msgspec

    from riskee.model.evidence import Evaluation

    return replace(
        candidate,
        decision=model.decision,
        reason=model.reason,
        trials=model.trials,
        evaluation=msgspec.convert(evaluation, Evaluation),
    )


def _announce(run: dg.DagsterRun, riskee: Platform, model: "RegisteredModel") -> str:
    """Publish a promotion by this run, or by one that was killed before it could and is repeated by this one."""
    from riskee import ids
    from riskee.messaging.messages import ModelPromoted
    from riskee.messaging.subjects import MODEL_PROMOTED
    from riskee_dagster.publishing import publish

    ours = {run.run_id, run.root_run_id, run.parent_run_id} - {None}
    if model.decision != "promoted" or model.run_id not in ours:
        return "nothing to publish"
    promoted = ModelPromoted(
        model_type=model.model_type,
        model_version=model.model_version,
        artifact_sha256=model.artifact_sha256,
        reason=model.reason,
    )
    return publish(
        riskee.settings.nats, riskee.clock, MODEL_PROMOTED, {ids.promotion_id(model.model_version): promoted}
    )
