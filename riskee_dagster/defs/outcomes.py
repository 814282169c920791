"""What became of the live predictions."""

from typing import TYPE_CHECKING

import dagster as dg

from riskee.messaging.messages import MODEL_TYPES
from riskee_dagster.declare import table_asset, table_check
from riskee_dagster.defs.features import model_key
from riskee_dagster.defs.models import champion_key
from riskee_dagster.resources import RiskeeParam

if TYPE_CHECKING:
    from riskee.storage.track_record import Head

GROUP = "outcomes"
# A week of hourly scorings: as long a lost end is told.
_NOTED = 168


@table_asset(
    "track_record",
    group=GROUP,
    kinds={"sql", "postgres"},
    code=["riskee.storage.outcomes", "riskee.storage.track_record"],
    deps=["market_data", "trading_sessions"],
)
def track_record(riskee: RiskeeParam) -> dg.MaterializeResult[None]:
    """Every published prediction whose horizon has passed, beside what happened: added once, never changed, each row
    sealed by a digest over itself and the row before it. `riskee verify track-record` computes the chain again."""
    from riskee.storage.database import database_errors
    from riskee.storage.outcomes import score

    with database_errors(), riskee.engine.begin() as connection:
        done = score(connection, riskee.clock)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": done.head.rows,
            "scored_now": done.rows,
            "settled_without_outcome": done.without_outcome,
            "head_sha256": done.head.sha256,
        },
        data_version=dg.DataVersion(done.head.sha256[:16]),
    )


@table_asset(
    "live_accuracy",
    group=GROUP,
    kinds={"sql", "nats"},
    code=["riskee.model.live_record"],
    deps=["track_record", model_key("accuracy"), *map(champion_key, MODEL_TYPES)],
)
def live_accuracy(riskee: RiskeeParam) -> dg.MaterializeResult[None]:
    """Hit rate and Brier score of the predictions in the track record, by model, announced on the bus."""
    from riskee import ids
    from riskee.messaging.subjects import ACCURACY
    from riskee.model.live_record import live_accuracy as read
    from riskee.storage.database import database_errors
    from riskee_dagster.publishing import publish

    with database_errors(), riskee.engine.connect() as connection:
        found = read(connection)
    messages = {ids.accuracy_id(one.model_version, one.outcomes): one for one in found}
    rows = [f"| {one.model_version} | {one.outcomes} | {one.hit_rate:.1%} | {one.brier:.4f} |" for one in found]
    table = "\n".join(["| model | outcomes | hit rate | Brier |", "|---|---|---|---|", *rows])
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(found),
            "outcomes": sum(one.outcomes for one in found),
            "accuracy": dg.MetadataValue.md(table if found else "No published prediction has an outcome yet."),
            "bus": publish(riskee.settings.nats, riskee.clock, ACCURACY, messages),
        }
    )


@table_check("track_record")
def the_chain_is_whole(context: dg.AssetCheckExecutionContext, riskee: RiskeeParam) -> dg.AssetCheckResult:
    """Every row of the record is as it was written: its digest, computed again, is the stored one, and continues the
    row before it. And the ends that earlier runs showed are still in it: it was not cut or written anew."""
    from riskee.storage.database import database_errors
    from riskee.storage.track_record import goes_through, verify

    with database_errors(), riskee.engine.connect() as connection:
        found = verify(connection)
        lost = [noted for noted in _noted(context.instance) if not goes_through(connection, noted)]
    problems = [f"row {found.broken}: {found.reason}"] if found.broken is not None else []
    problems += [f"the record ended with row {end.rows}, digest {end.sha256}, which it has no more" for end in lost[:1]]
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(problems) or f"{found.head.rows:,} rows are as they were written",
        metadata={"rows_that_hold": found.head.rows, "head_sha256": found.head.sha256, "lost_ends": len(lost)},
    )


def _noted(instance: dg.DagsterInstance) -> "list[Head]":
    """The ends of the record that its last materialisations showed."""
    from riskee.storage.track_record import Head

    records = instance.fetch_materializations(dg.AssetKey("track_record"), limit=_NOTED).records
    shown = [record.asset_materialization.metadata for record in records if record.asset_materialization]
    return [Head(int(str(one["dagster/row_count"].value)), str(one["head_sha256"].value)) for one in shown]


ASSETS = [track_record, live_accuracy]
CHECKS = [the_chain_is_whole]
