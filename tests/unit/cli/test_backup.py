"""The commands for backups, on a folder with backups that were made by hand."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskee.backup.repository import Repository
from riskee.backup.target import Target
from riskee.cli.app import app
from riskee.errors import FatalError, NotFoundError, PoisonError
from tests.unit.backup.test_repository import START, stored

runner = CliRunner()


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("RISKEE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RISKEE_BACKUP__TARGET", str(tmp_path / "kept"))
    return Repository(Target(str(tmp_path / "kept")), None)


def test_nothing_yet_says_what_to_do() -> None:
    result = runner.invoke(app, ["backup", "list"])
    assert "`riskee backup create` makes one" in result.output
    assert isinstance(runner.invoke(app, ["backup", "verify"]).exception, NotFoundError)


def test_backups_are_listed_with_what_they_hold_and_unfinished_ones_told(kept: Repository, tmp_path: Path) -> None:
    made = [stored(kept, START + timedelta(days=day)).backup_id for day in (1, 0)]
    (tmp_path / "kept" / "backups" / "20261130T000000Z" / "nats").mkdir(parents=True)
    shown = runner.invoke(app, ["backup", "list"]).output
    assert [word for word in shown.split() if word in made] == made
    assert "20261130T000000Z is not complete" in shown
    found = json.loads(runner.invoke(app, ["backup", "list", "--json"]).output)
    assert [one["backup_id"] for one in found] == made
    assert found[0]["parts"]["postgres"]["counts"] == {"riskee.quotes": 3}


def test_verify_reads_the_one_named_or_all(kept: Repository) -> None:
    made = [stored(kept, START + timedelta(days=day)).backup_id for day in (1, 0)]
    assert f"{made[1]} is whole" in runner.invoke(app, ["backup", "verify", made[1]]).output
    found = json.loads(runner.invoke(app, ["backup", "verify", "--all", "--json"]).stdout)
    assert [one["backup_id"] for one in found] == made


def test_prune_says_what_it_removes(kept: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAILY", "WEEKLY"):
        monkeypatch.setenv(f"RISKEE_BACKUP__KEEP_{name}", "0")
    monkeypatch.setenv("RISKEE_BACKUP__KEEP_LAST", "1")
    old, new = (stored(kept, START + timedelta(days=day)).backup_id for day in (0, 1))
    assert f"{old} would be removed" in runner.invoke(app, ["backup", "prune", "--dry-run"]).output
    assert kept.ids() == [new, old]
    assert f"{old} removed" in runner.invoke(app, ["backup", "prune"]).output
    assert kept.ids() == [new]


def test_extract_unpacks_into_a_new_folder_only(kept: Repository, tmp_path: Path) -> None:
    made = stored(kept, START)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    refused = runner.invoke(app, ["backup", "restore", made.backup_id, "--extract", str(tmp_path / "full")])
    assert isinstance(refused.exception, FatalError)
    broken = runner.invoke(app, ["backup", "restore", "--extract", str(tmp_path / "new")])
    assert isinstance(broken.exception, PoisonError), "its base is no tar"


def test_a_moment_goes_with_the_log_only() -> None:
    result = runner.invoke(app, ["backup", "restore", "--at", "2026-11-22T00:00:00", "--dumps"])
    assert isinstance(result.exception, FatalError)


def test_what_is_not_known_cannot_be_saved() -> None:
    result = runner.invoke(app, ["backup", "create", "--only", "postgres,oracle"])
    assert isinstance(result.exception, NotFoundError)
    assert "there is no oracle to save" in str(result.exception)
