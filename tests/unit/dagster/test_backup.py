"""Backups by schedule."""

import pytest

from riskee_dagster.definitions import riskee


def _statuses() -> dict[str, str]:
    found = riskee()
    return {
        name: found.resolve_schedule_def(name).default_status.value for name in ("backup_daily", "backup_log_often")
    }


def test_they_run_where_there_is_a_target_and_the_log_where_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _statuses() == {"backup_daily": "STOPPED", "backup_log_often": "STOPPED"}
    monkeypatch.setenv("RISKEE_BACKUP__TARGET", "s3://bucket/prefix")
    monkeypatch.setenv("RISKEE_BACKUP__SCHEDULE", "0 1 * * *")
    assert _statuses() == {"backup_daily": "RUNNING", "backup_log_often": "STOPPED"}
    assert riskee().resolve_schedule_def("backup_daily").cron_schedule == "0 1 * * *"
    monkeypatch.setenv("RISKEE_BACKUP__WAL_ARCHIVE", "true")
    assert _statuses() == {"backup_daily": "RUNNING", "backup_log_often": "RUNNING"}
