"""What keeps the database in shape: partitions ahead of the quotes, retention behind them."""

import dagster as dg

from riskee_dagster.declare import RETRY, product_errors
from riskee_dagster.resources import RiskeeParam


@dg.op(retry_policy=RETRY, tags={"kind": "postgres"})
@product_errors
def partitions_ahead(context: dg.OpExecutionContext, riskee: RiskeeParam) -> None:
    """Make the partitions of the coming days. A hypertable makes its own."""
    from riskee.storage.database import database_errors
    from riskee.storage.partitions import make_ahead

    with database_errors(), riskee.engine.begin() as connection:
        made = make_ahead(connection, riskee.clock.now())
    context.add_output_metadata({"partitions_made": made})


@dg.op(retry_policy=RETRY, ins={"after": dg.In(dg.Nothing)}, tags={"kind": "postgres"})
@product_errors
def retention(context: dg.OpExecutionContext, riskee: RiskeeParam) -> None:
    """Drop partitions or chunks older than the settings keep."""
    from riskee.storage.database import database_errors
    from riskee.storage.retention import drop_expired

    with database_errors(), riskee.engine.begin() as connection:
        dropped = drop_expired(connection, riskee.settings.database, riskee.clock.now())
    context.add_output_metadata({f"dropped_{table}": count for table, count in dropped.items()})


@dg.job(description="Partitions ahead, retention behind.")
def maintenance() -> None:
    retention(after=partitions_ahead())


# It runs everywhere: a live stack needs tomorrow's partitions.
SCHEDULE = dg.ScheduleDefinition(
    name="maintenance_daily",
    job=maintenance,
    cron_schedule="15 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
