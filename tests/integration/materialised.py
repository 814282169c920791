"""The whole pipeline, run once on the bundled data with few documents, and what a test asks of it."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from riskee.settings import Settings
from riskee_dagster import definitions
from riskee_dagster.bootstrap import run, stored_days
from riskee_dagster.defs import documents
from riskee_dagster.resources import Platform
from tests.conftest import REPOSITORY, fresh_database

# Embedding takes most of the time, and a few documents show as much as many.
LIMITS = {"NEWS": 150, "PATTERNS": 100, "PREDICTIONS": 100, "QUARTERS": 8}


@dataclass(frozen=True)
class Materialised:
    """A database, an instance and the lines of the run that filled them."""

    settings: Settings
    platform: Platform
    instance: dg.DagsterInstance
    lines: list[dict[str, Any]]
    failures: list[str]

    @property
    def engine(self) -> Engine:
        return self.platform.engine

    def again(self, *keys: dg.AssetKey, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
        """Materialise these assets alone, as the button in Dagster's UI does."""
        return pipeline().execute_in_process(
            instance=self.instance, asset_selection=list(keys), raise_on_error=False, tags=tags
        )

    def metadata(self, key: dg.AssetKey) -> dict[str, Any]:
        """What the latest materialisation says."""
        event = self.instance.get_latest_materialization_event(key)
        assert event is not None
        assert event.asset_materialization is not None
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def pipeline() -> dg.JobDefinition:
    return definitions.riskee().resolve_job_def("pipeline")


@contextmanager
def materialised(settings: Settings, folder: Path) -> Iterator[Materialised]:
    """Fill a database and an instance of their own; what the instance stores goes below `folder`."""
    with (
        fresh_database(settings) as url,
        dg.DagsterInstance.ephemeral(str(folder)) as instance,
        pytest.MonkeyPatch.context() as patch,
    ):
        own = settings.model_copy(
            update={
                "home": REPOSITORY / ".riskee",  # the downloads
                "database": settings.database.model_copy(update={"url": SecretStr(url)}),
            }
        )
        platform = Platform(own)
        for limit, count in LIMITS.items():
            patch.setattr(documents, limit, count)
        patch.setattr(definitions, "platform", dg.ResourceDefinition.hardcoded_resource(platform))
        out = io.StringIO()
        failures = run(instance, pipeline(), out, lambda: stored_days(own))
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        yield Materialised(own, platform, instance, lines, failures)
        platform.close()
