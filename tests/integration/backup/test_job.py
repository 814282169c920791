"""Dagster's backup: made, verified, pruned; and what it saved of a server is whole."""

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from riskee.backup.creating import SYSTEMS, create
from riskee.backup.repository import repository_of
from riskee.cli.board import PlainBoard
from riskee.clock import SystemClock
from riskee.errors import RetryableError
from riskee.settings import BackupSettings, Settings
from riskee_dagster.definitions import riskee
from riskee_dagster.resources import Platform

pytestmark = pytest.mark.integration


def test_the_job_makes_a_backup_of_everything(known: Settings, tmp_path: Path) -> None:
    key = SecretStr(base64.b64encode(bytes(32)).decode())
    settings = known.model_copy(update={"backup": BackupSettings(target=str(tmp_path / "kept"), key=key)})
    platform = Platform(settings)
    done = riskee().resolve_job_def("backup").execute_in_process(resources={"riskee": platform, "candidates": None})
    assert done.success
    platform.close()
    manifest = repository_of(settings).find(None)
    assert [part.system for part in manifest.parts if not part.left_out] == list(SYSTEMS)
    part = manifest.part("postgres")
    assert part is not None
    name = settings.database.url.get_secret_value().rsplit("/", 1)[1]
    assert part.counts[f"{name}.tickers"] == 4


def test_a_system_that_is_away_leaves_no_backup(known: Settings, tmp_path: Path) -> None:
    wanted = BackupSettings(target=str(tmp_path / "kept"), redis_url=SecretStr("redis://127.0.0.1:1/0"))
    settings = known.model_copy(update={"backup": wanted})
    repository = repository_of(settings)
    with pytest.raises(RetryableError, match="Redis does not answer"):
        create(settings, repository, SystemClock(), PlainBoard().task, ("nats", "redis"))
    assert repository.ids() == repository.incomplete_ids() == []
