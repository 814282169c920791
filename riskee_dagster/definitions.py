"""The code location: everything Dagster knows of Riskee."""

import dagster as dg

from riskee.settings import load_settings
from riskee_dagster import jobs
from riskee_dagster.candidates import candidate_store
from riskee_dagster.defs import documents, embeddings, features, ingestion, maintenance, models, outcomes
from riskee_dagster.resources import platform

ASSETS = (ingestion, features, models, documents, embeddings, outcomes)


@dg.definitions
def riskee() -> dg.Definitions:
    """Assets, checks, jobs and schedules; nothing connects while this loads."""
    return dg.Definitions(
        assets=[asset for module in ASSETS for asset in module.ASSETS],
        asset_checks=[*ingestion.CHECKS, *features.CHECKS],
        jobs=[jobs.PIPELINE, jobs.REFRESH, jobs.RETRAIN, maintenance.maintenance],
        schedules=[*jobs.schedules(load_settings()), maintenance.SCHEDULE],
        resources={"riskee": platform, "candidates": candidate_store},
        executor=dg.in_process_executor,
    )
