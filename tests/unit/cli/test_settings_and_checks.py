"""The list of settings, and the doctor's checks that need no server."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from riskee.cli import checks, server_checks
from riskee.cli.app import app
from riskee.cli.finding import Finding
from riskee.errors import RetryableError
from riskee.reference import settings_rows
from riskee.settings import Settings

runner = CliRunner()


def test_every_setting_is_listed_and_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_DATABASE__URL", "postgresql://me:hunter2@localhost/x")
    monkeypatch.setenv("RISKEE_EXPLANATION__DOCUMENTS", "5")
    result = runner.invoke(app, ["settings", "--json"])
    rows = {row["variable"]: row for row in json.loads(result.stdout)}
    assert set(rows) == {name for name, _, _ in settings_rows()}
    assert rows["RISKEE_EXPLANATION__DOCUMENTS"]["value"] == "5"
    assert "hunter2" not in result.stdout
    assert "RISKEE_HOME" in runner.invoke(app, ["settings"]).output


def test_an_error_becomes_a_finding() -> None:
    def check(_settings: Settings) -> Finding:
        raise RetryableError("down\nmore", "start it")

    found = checks.run_check(("redis", check), Settings())
    assert (found.name, found.state, found.detail, found.remedy) == ("redis", "problem", "down", "start it")


def test_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings().model_copy(update={"home": tmp_path / "not yet"})
    assert checks.check_disk(settings).state == "ok"
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=10**8))
    found = checks.check_disk(settings)
    assert found.state == "problem"
    assert "RISKEE_HOME" in found.remedy


def test_missing_downloads_are_named(tmp_path: Path) -> None:
    found = checks.check_downloads(Settings().model_copy(update={"home": tmp_path}))
    assert found.state == "problem"
    assert "qwen2.5-coder-0.5b" in found.detail


def test_health_reports_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"status": "waiting", "dependencies": {"nats": "ok", "database": "away"}}
    monkeypatch.setattr(server_checks, "_json", lambda _url, _process: report)
    found = server_checks._ready("predict", "http://x")
    assert (found.state, found.detail, found.remedy) == ("problem", "database: away", "`riskee logs predict`")
    report["status"] = "ok"
    assert server_checks._ready("predict", "http://x").state == "ok"


def test_a_live_feed_wants_a_key_that_goes_nowhere_in_plain_text() -> None:
    def asking(**alpaca: object) -> Settings:
        return Settings.model_validate({"feed": {"kind": "alpaca"}, "alpaca": alpaca})

    keys = {"key_id": "key", "secret_key": "secret"}
    plain = asking(**keys, stream={"url": "ws://stream.example.com"})
    found = [checks.run_check(("feed", checks.check_feed), each) for each in (Settings(), asking(**keys))]
    assert [(each.state, each.detail) for each in found] == [("ok", "replay"), ("ok", "alpaca")]
    for wrong, says in ((asking(), "RISKEE_ALPACA__KEY_ID"), (plain, "wss://")):
        found_wrong = checks.run_check(("feed", checks.check_feed), wrong)
        assert found_wrong.state == "problem"
        assert says in found_wrong.remedy


def test_only_the_embedded_profile_has_processes_to_check() -> None:
    names = [name for name, _ in checks.all_checks(Settings())]
    elsewhere = [name for name, _ in checks.all_checks(Settings().model_copy(update={"profile": "compose"}))]
    assert set(names) - set(elsewhere) == {"processes", "ports", "downloads"}


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_commands_of_the_embedded_stack_refuse_other_profiles(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("RISKEE_PROFILE", "compose")
    result = runner.invoke(app, [command])
    assert result.exit_code == 1
    assert "docker compose" in str(getattr(result.exception, "remedy", ""))
