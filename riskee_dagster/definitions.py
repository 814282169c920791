"""The code location: everything Dagster knows of Riskee."""

import dagster as dg

from riskee_dagster import jobs
from riskee_dagster.defs import documents, embeddings, features, ingestion, maintenance, outcomes
from riskee_dagster.resources import platform


@dg.definitions
def riskee() -> dg.Definitions:
    """Assets, checks, jobs and schedules; nothing connects while this loads."""
    return dg.Definitions(
        assets=[*ingestion.ASSETS, *features.ASSETS, *documents.ASSETS, *embeddings.ASSETS, *outcomes.ASSETS],
        asset_checks=[*ingestion.CHECKS],
        jobs=[jobs.PIPELINE, maintenance.maintenance],
        schedules=[maintenance.SCHEDULE],
        resources={"riskee": platform},
        executor=dg.in_process_executor,
    )
