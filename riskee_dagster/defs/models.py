"""Training sets, trained models and the registry's champions, for both model types."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from riskee.messaging.messages import MODEL_TYPES, ModelType
from riskee_dagster.declare import OWNERS, POOLS, RETRY, code_version, product_errors
from riskee_dagster.defs.features import model_key
from riskee_dagster.evaluation_metadata import training_metadata
from riskee_dagster.registration import register_candidate
from riskee_dagster.resources import Platform, RiskeeParam

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from riskee.model.dataset import TrainingSet

GROUP = "models"
HELD_OUT, NO_LEAK = "replay_is_held_out", "no_feature_knows_the_outcome"
TRAINING = (
    "riskee.features.definitions", "riskee.model.artifact", "riskee.model.baselines", "riskee.model.calibration",
    "riskee.model.decision", "riskee.model.evaluation", "riskee.model.evidence", "riskee.model.holdout",
    "riskee.model.importance", "riskee.model.regimes", "riskee.model.training", "riskee.model.uncertainty",
    "riskee.model.walk_forward",
)  # fmt: skip


def training_key(model_type: ModelType) -> dg.AssetKey:
    """The asset of a model type's training rows."""
    return dg.AssetKey(f"training_set_{model_type}")


def candidate_key(model_type: ModelType) -> dg.AssetKey:
    """The asset of a model type's latest trained model."""
    return dg.AssetKey(f"model_{model_type}")


def champion_key(model_type: ModelType) -> dg.AssetKey:
    """The asset of a model type's predicting model."""
    return dg.AssetKey(f"champion_{model_type}")


@dataclass(frozen=True)
class Rows:
    """What a training is given: rows whose outcomes are known before `known_before`.

    The rows from `holdout_from` on are for the sealed holdout; None when nothing is to be sealed.
    """

    data: "TrainingSet"
    holdout_from: date | None
    known_before: date


def read_rows(connection: "Connection", riskee: Platform, model_type: ModelType) -> Rows:
    """Read a training's rows. Raises PoisonError when there is no history."""
    from riskee.errors import PoisonError
    from riskee.model.boundaries import boundaries
    from riskee.model.dataset import read_training_set

    found = boundaries(connection, riskee.settings)
    if found is None:
        raise PoisonError("there are no bars", "materialise market_data and trading_sessions first")
    window = riskee.settings.model.earnings_window_sessions
    data = read_training_set(connection, model_type, found.known_before, window)
    return Rows(data, found.holdout_from, found.known_before)


def _training_set(model_type: ModelType) -> dg.AssetsDefinition:
    key = training_key(model_type)

    @dg.asset(
        key=key,
        group_name=GROUP,
        kinds={"sql", "numpy"},
        deps=[model_key("features_daily"), "market_data", "trading_sessions"],
        owners=OWNERS,
        retry_policy=RETRY,
        code_version=code_version(["riskee.features.definitions", "riskee.model.boundaries", "riskee.model.dataset"]),
        check_specs=[
            dg.AssetCheckSpec(
                HELD_OUT,
                asset=key,
                blocking=True,
                description="No outcome lies in the sessions that the replay plays.",
            ),
            dg.AssetCheckSpec(
                NO_LEAK,
                asset=key,
                blocking=True,
                description="No feature alone tells the outcome better than a whole model honestly can: a correlation "
                "above 0.05 is a warning, above 0.10 it stops the training. The sealed sessions are not looked at.",
            ),
        ],
        description=f"The rows that a model of type `{model_type}` learns from, as features and bars make them now. "
        "Its data version is their digest. The sessions that the replay plays are held out.",
    )
    @product_errors
    def training_set(riskee: RiskeeParam) -> dg.MaterializeResult:  # type: ignore[type-arg] # Dagster wants it bare
        from riskee.storage.database import database_errors

        with database_errors(), riskee.engine.connect() as connection:
            found = read_rows(connection, riskee, model_type)
        rows = found.data
        last = rows.outcome_session.max() if len(rows) else None
        held_out = last is not None and last.item() < found.known_before
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(rows),
                "left_out_for_a_suspicious_split_or_factor": rows.left_out,
                "tickers": ", ".join(rows.tickers[:50]),
                "features": rows.features.shape[1],
                "first_session": str(rows.session.min() if len(rows) else None),
                "last_outcome": str(last),
                "sealed_from": str(found.holdout_from),
                "known_before": found.known_before.isoformat(),
                "sha256": rows.sha256,
            },
            data_version=dg.DataVersion(rows.sha256[:16]),
            check_results=[
                dg.AssetCheckResult(check_name=HELD_OUT, passed=held_out, metadata={"last_outcome": str(last)}),
                leak_check(found),
            ],
        )

    return training_set


def leak_check(found: Rows) -> dg.AssetCheckResult:
    """Whether no feature of the rows to learn from knows the outcome; a suspicion warns, certainty blocks."""
    from riskee.model.holdout import split
    from riskee.model.leaks import suspects

    suspected = suspects(split(found.data, found.holdout_from).development)
    told = {
        one.feature: f"correlation {one.ic.value:+.3f} ({one.ic.low:+.3f} … {one.ic.high:+.3f})" for one in suspected
    }
    return dg.AssetCheckResult(
        check_name=NO_LEAK,
        passed=not suspected,
        severity=dg.AssetCheckSeverity.ERROR
        if any(one.impossible for one in suspected)
        else dg.AssetCheckSeverity.WARN,
        metadata=told or {"suspected": "none"},
    )


def require_checked(instance: dg.DagsterInstance, model_type: ModelType, sha256: str) -> None:
    """Refuse rows other than those that the checks of the training set saw: bars come in while a run goes on.

    Raises RetryableError.
    """
    from riskee.errors import RetryableError

    key = training_key(model_type)
    name, event = key.to_user_string(), instance.get_latest_materialization_event(key)
    made = event.asset_materialization.metadata["sha256"].value if event and event.asset_materialization else "none"
    if made != sha256:
        raise RetryableError(
            f"the rows of {name} were {str(made)[:16]} when they were checked, now they are {sha256[:16]}",
            f"materialise {name} and what follows it together",
        )


def _model(model_type: ModelType) -> dg.AssetsDefinition:
    @dg.asset(
        key=candidate_key(model_type),
        group_name=GROUP,
        kinds={"lightgbm"},
        deps=[training_key(model_type)],
        owners=OWNERS,
        pool=POOLS[GROUP],
        retry_policy=RETRY,
        code_version=code_version(TRAINING),
        io_manager_key="candidates",
        description=f"A model of type `{model_type}`: evaluated walk-forward beside its baselines, fitted on all rows "
        "but the sealed ones, decided on, then scored on the sealed ones. With the decision and its reason.",
    )
    @product_errors
    def model(context: dg.AssetExecutionContext, riskee: RiskeeParam) -> dg.MaterializeResult[Any]:
        from riskee.model.boundaries import judged_on
        from riskee.model.incumbent import incumbent
        from riskee.model.registry import count_openings, count_trials
        from riskee.model.training import Past, train
        from riskee.storage.database import database_errors

        with database_errors(), riskee.engine.connect() as connection:
            rows = read_rows(connection, riskee, model_type)
            require_checked(context.instance, model_type, rows.data.sha256)
            present = incumbent(connection, model_type)
            as_of = judged_on(connection, riskee.settings)
            opened = count_openings(connection, model_type, rows.holdout_from) if rows.holdout_from else 0
            past = Past(count_trials(connection, model_type), opened)
        result = train(
            rows.data,
            riskee.settings.model,
            present,
            lambda share, step: context.log.info("%3.0f %% done: %s", share * 100, step),
            rows.holdout_from,
            past,
            as_of,
        )
        return dg.MaterializeResult(
            value=result,
            metadata=training_metadata(result),
            data_version=dg.DataVersion(result.artifact.version),
        )

    return model


def _champion(model_type: ModelType) -> dg.AssetsDefinition:
    @dg.asset(
        key=champion_key(model_type),
        group_name=GROUP,
        kinds={"postgres", "nats"},
        ins={"candidate": dg.AssetIn(candidate_key(model_type), input_manager_key="candidates")},
        owners=OWNERS,
        retry_policy=RETRY,
        code_version=code_version(["riskee.model.registry", "riskee.model.report"]),
        description=f"The registered `{model_type}` model that predicts. A promotion is announced on the bus, and the "
        "evaluation of a model that is new is written as a report.",
    )
    @product_errors
    def champion(context: dg.AssetExecutionContext, riskee: RiskeeParam, candidate: Any) -> dg.MaterializeResult[None]:
        return register_candidate(context.run, riskee, candidate)

    return champion


ASSETS = [make(model_type) for model_type in MODEL_TYPES for make in (_training_set, _model, _champion)]
