"""The code location: everything Dagster knows of Riskee."""

import dagster as dg

from riskee.settings import load_settings
from riskee_dagster import jobs
from riskee_dagster.candidates import candidate_store
from riskee_dagster.defs import (
    backup,
    documents,
    embeddings,
    features,
    ingestion,
    maintenance,
    models,
    monitoring,
    outcomes,
)
from riskee_dagster.freshness import with_freshness
from riskee_dagster.resources import platform
from riskee_dagster.sensors import retrain_sensor

ASSETS = (ingestion, features, models, documents, embeddings, outcomes, monitoring)


@dg.definitions
def riskee() -> dg.Definitions:
    """Assets, checks, jobs, schedules and the sensor; nothing connects while this loads."""
    settings = load_settings()
    return dg.Definitions(
        assets=[with_freshness(asset, settings) for module in ASSETS for asset in module.ASSETS],
        asset_checks=[*ingestion.CHECKS, *features.CHECKS, *outcomes.CHECKS],
        jobs=[
            jobs.PIPELINE,
            jobs.REFRESH,
            jobs.BACKFILL,
            jobs.RETRAIN,
            jobs.MONITOR,
            maintenance.maintenance,
            *backup.JOBS,
        ],
        schedules=[*jobs.schedules(settings), maintenance.SCHEDULE, *backup.schedules(settings)],
        sensors=[retrain_sensor(settings)],
        resources={"riskee": platform, "candidates": candidate_store},
        executor=dg.in_process_executor,
    )
