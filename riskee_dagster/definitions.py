"""The code location: everything Dagster knows of Riskee."""

import dagster as dg

from riskee_dagster.defs import documents, embeddings
from riskee_dagster.resources import RiskeeResource


@dg.definitions
def riskee() -> dg.Definitions:
    """Assets, checks, jobs and schedules; nothing connects while this loads."""
    return dg.Definitions(
        assets=[*documents.ASSETS, *embeddings.ASSETS],
        resources={"riskee": RiskeeResource()},
        executor=dg.in_process_executor,
    )
