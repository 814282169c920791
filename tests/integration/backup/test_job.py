"""Dagster's backup: made, verified, pruned; and what it saved of a server is whole."""

import base64
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from riskee.backup.creating import SYSTEMS, create
from riskee.backup.postgres import PostgresServer
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


def test_a_tool_may_take_longer_than_a_transaction_may_be_idle(known: Settings) -> None:
    """The server ends idle transactions after 50 ms here; whoever takes the content is slower."""
    url = f"{known.database.url.get_secret_value()}?options=-cidle_in_transaction_session_timeout%3D50"
    server = PostgresServer(
        known.model_copy(update={"database": known.database.model_copy(update={"url": SecretStr(url)})})
    )
    sizes: list[int] = []

    def slowly(data: bytes) -> None:
        if not sizes:
            time.sleep(0.5)
        sizes.append(len(data))

    server.base(slowly)
    sizes.clear()
    counts = server.dump(server.databases()[0], slowly)
    assert counts["tickers"] == 4
