"""Whether the predicting models should be trained again: looked at after the data and the outcomes are there."""

import uuid
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

from riskee import ids
from riskee.messaging.messages import MODEL_TYPES, ChampionWatch, ModelType
from riskee.messaging.subjects import WATCH_OF
from riskee_dagster.declare import table_asset
from riskee_dagster.defs.features import model_key
from riskee_dagster.defs.models import champion_key
from riskee_dagster.resources import RiskeeParam

if TYPE_CHECKING:
    from riskee.model.decay import Decay
    from riskee.model.drift import Drift
    from riskee.model.drift_block import BlockTest
    from riskee.model.watch import Watch

GROUP = "monitoring"
CAUSES = "causes"
# The test for drift, so that the next hour need not repeat it.
BLOCK = "drift_block"


def watch_key(model_type: ModelType) -> dg.AssetKey:
    """The asset that looks after a model type; its materialisations are what the retraining sensor reads."""
    return dg.AssetKey(f"watch_{model_type}")


def _watch(model_type: ModelType) -> dg.AssetsDefinition:
    @table_asset(
        watch_key(model_type),
        group=GROUP,
        kinds={"python", "sql"},
        code=["riskee.model.watch", "riskee.model.drift", "riskee.model.drift_block", "riskee.model.decay"],
        deps=[model_key("features_daily"), "trading_sessions", "track_record", champion_key(model_type)],
        description=f"Whether the `{model_type}` model should be trained again, and why: new data, decay of its live "
        "accuracy, calibration or coverage, drift of its features, expiry, damage. Each test states its "
        "rate of false alarms.",
    )
    def watched(context: dg.AssetExecutionContext, riskee: RiskeeParam) -> dg.MaterializeResult[None]:
        from riskee.model.watch import watch
        from riskee.storage.database import database_errors
        from riskee_dagster.publishing import publish

        with database_errors(), riskee.engine.connect() as connection:
            found = watch(connection, riskee.settings, model_type, _tested(context.instance, model_type))
        for cause in found.causes:
            context.log.warning("%s should be trained again: %s (%s)", model_type, cause.kind, cause.detail)
        told = publish(riskee.settings.nats, riskee.clock, WATCH_OF[model_type], watch_messages(found))
        return dg.MaterializeResult(
            metadata={
                CAUSES: dg.MetadataValue.json(
                    [{"kind": one.kind, "key": one.key, "detail": one.detail} for one in found.causes]
                ),
                "model": found.model_version or "none",
                "as_of": str(found.as_of),
                "new_sessions": found.new_sessions,
                "bus": told,
                "decay": dg.MetadataValue.md(_decays(found.decays)),
                "drift": dg.MetadataValue.md(_drift(found.drift)),
                BLOCK: dg.MetadataValue.json(msgspec.to_builtins(found.block)),
            }
        )

    return watched


def _tested(instance: dg.DagsterInstance, model_type: ModelType) -> "BlockTest | None":
    """The test for drift of the last materialisation; None where another version of the code wrote it otherwise."""
    from riskee.model.drift_block import BlockTest

    event = instance.get_latest_materialization_event(watch_key(model_type))
    stored = event.asset_materialization.metadata.get(BLOCK) if event and event.asset_materialization else None
    if stored is None:
        return None
    try:
        return msgspec.convert(stored.value, BlockTest | None)
    except msgspec.ValidationError:
        return None


def watch_messages(found: "Watch") -> dict[uuid.UUID, ChampionWatch]:
    """What the bus is told: nothing without a champion."""
    if found.model_version is None or found.as_of is None:
        return {}
    drift = found.drift
    message = ChampionWatch(
        model_type=found.model_type,
        model_version=found.model_version,
        decay={one.measure: one.evidence / one.threshold for one in found.decays},
        drift_p_value=drift.p_value if drift else None,
        drift={name: value / (drift.usual[name] or 1.0) for name, value in drift.distances.items()} if drift else {},
    )
    return {ids.watch_id(found.model_version, found.as_of, msgspec.json.encode(message)): message}


def _decays(decays: "tuple[Decay, ...]") -> str:
    if not any(one.sessions for one in decays):
        return "No prediction of this model has an outcome yet."
    rows = ["| measure | sessions | worse than said by | evidence | fires at |", "|---|---|---|---|---|"]
    rows += [
        f"| {one.measure} | {one.sessions} | {one.worse_by:+.4f} | {one.evidence:.2f} | {one.threshold:.0f} |"
        for one in decays
    ]
    return "\n".join(rows)


def _drift(drift: "Drift | None") -> str:
    if drift is None:
        return "Too few sessions since the training, or too short a training, to compare."
    rows = [f"p = {drift.p_value:.3f} among {drift.blocks} blocks of the training window", ""]
    rows += ["| feature | distance | usual |", "|---|---|---|"]
    ordered = sorted(drift.distances, key=lambda name: -drift.distances[name] / (drift.usual[name] or 1.0))
    rows += [f"| {name} | {drift.distances[name]:.3f} | {drift.usual[name]:.3f} |" for name in ordered]
    return "\n".join(rows)


ASSETS = [_watch(model_type) for model_type in MODEL_TYPES]
