"""What became of the live predictions."""

import dagster as dg

from riskee.messaging.messages import MODEL_TYPES
from riskee_dagster.declare import table_asset
from riskee_dagster.defs.features import model_key
from riskee_dagster.defs.models import champion_key
from riskee_dagster.resources import RiskeeParam

GROUP = "outcomes"


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
        metadata={"dagster/row_count": done.head.rows, "scored_now": done.rows, "head_sha256": done.head.sha256},
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


ASSETS = [track_record, live_accuracy]
