"""Which assets are made together, and when."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from riskee.settings import Settings
from riskee_dagster.partitions import DAILY, ONLY_CHANGED, range_tags

# The daemon ends a run that goes on for longer, in seconds. One whose worker died it notices at once.
LIMITS = {"dagster/max_runtime": "7200"}
MODELS = dg.AssetSelection.groups("models").downstream()
WATCHED = dg.AssetSelection.groups("outcomes", "monitoring")

PIPELINE = dg.define_asset_job(
    "pipeline", dg.AssetSelection.all(), description="Everything, from the raw bars to the champions.", tags=LIMITS
)
REFRESH = dg.define_asset_job(
    "refresh",
    dg.AssetSelection.all() - MODELS | WATCHED,
    description="History, features, documents and vectors; the models stay.",
    tags=LIMITS,
)
# The history itself is imported before: what makes the rows of the days, and reads them.
BACKFILL = dg.define_asset_job(
    "backfill",
    dg.AssetSelection.groups("staging", "features", "marts") | dg.AssetSelection.assets("trading_sessions"),
    description="The feature tables of any range of days, in one run, with what they are made from.",
    tags=LIMITS,
)
# With the marts that they read: after an update the views are those of this version within the hour, on each profile.
MONITOR = dg.define_asset_job(
    "monitor",
    WATCHED | (WATCHED.upstream() & dg.AssetSelection.groups("marts")),
    description="Scores predictions whose outcome is known, and looks whether models should be trained again.",
    tags=LIMITS,
)
# A check stops only the run that it is part of: no model learns from features that the live kernel does not agree with.
PARITY = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("features_daily"), "live_kernel_agrees"))
RETRAIN = dg.define_asset_job(
    "retrain", MODELS | PARITY, description="New candidates of both model types, of features that agree.", tags=LIMITS
)


def _last_week(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """A run that computes what changed and reports the last week's days as made, today included."""
    today = context.scheduled_execution_time.astimezone(ZoneInfo(DAILY.timezone)).date()
    return dg.RunRequest(tags=ONLY_CHANGED | range_tags(today - timedelta(days=7), today))


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Nightly after the exchange's close, and weekly; on the embedded stack stopped: no bars come there by themselves.

    Outcomes come in everywhere: they are scored every hour.
    """
    embedded = settings.profile == "embedded"
    status = dg.DefaultScheduleStatus.STOPPED if embedded else dg.DefaultScheduleStatus.RUNNING
    return [
        dg.ScheduleDefinition(
            name="refresh_nightly",
            job=REFRESH,
            cron_schedule="30 19 * * 1-5",
            execution_timezone="America/New_York",
            execution_fn=_last_week,
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
        dg.ScheduleDefinition(
            name="monitor_hourly",
            job=MONITOR,
            cron_schedule="40 * * * *",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Scores what has an outcome by now.",
        ),
    ]
