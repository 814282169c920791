"""Which assets are made together, and when."""

import dagster as dg

from riskee.settings import Settings

# The worker of a run may be killed without a word; the daemon then ends the run after this time.
LIMITS = {"dagster/max_runtime": "1800"}
MODELS = dg.AssetSelection.groups("models").downstream()

PIPELINE = dg.define_asset_job(
    "pipeline", dg.AssetSelection.all(), description="Everything, from the raw bars to the champions.", tags=LIMITS
)
REFRESH = dg.define_asset_job(
    "refresh",
    dg.AssetSelection.all() - MODELS | dg.AssetSelection.groups("outcomes"),
    description="History, features, documents and vectors; the models stay.",
    tags=LIMITS,
)
RETRAIN = dg.define_asset_job("retrain", MODELS, description="New candidates of both model types.", tags=LIMITS)


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Nightly after the exchange's close, and weekly; on the embedded stack stopped, for its history does not grow."""
    embedded = settings.profile == "embedded"
    status = dg.DefaultScheduleStatus.STOPPED if embedded else dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(
            name="refresh_nightly",
            job=REFRESH,
            cron_schedule="30 19 * * 1-5",
            execution_timezone="America/New_York",
            default_status=status,
            description="Three and a half hours after the close, when the vendors have corrected their bars.",
        ),
        dg.ScheduleDefinition(
            name="retrain_weekly",
            job=RETRAIN,
            cron_schedule="0 6 * * 6",
            execution_timezone="America/New_York",
            default_status=status,
            description="On Saturdays, with the whole week in.",
        ),
    ]
