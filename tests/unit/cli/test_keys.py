"""The commands for keys, with the table of keys given."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from riskee.access.grants import Grant
from riskee.cli.app import app
from riskee.storage.api_keys import StoredKey

runner = CliRunner()
NAME = "team [/ops]"


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    key = StoredKey("4f1c0a9b7d2e", NAME, b"", frozenset({Grant.STREAM_READ}), datetime(2026, 11, 22, tzinfo=UTC))
    answers: dict[str, Any] = {"read_keys": [key]}
    monkeypatch.setattr(
        "riskee.cli.keys.with_database", lambda _settings, work: answers.get(getattr(work, "__name__", ""))
    )


def test_a_name_is_shown_as_it_is() -> None:
    result = runner.invoke(app, ["keys", "list"])
    assert result.exit_code == 0, result.exception
    assert NAME in result.output


def test_what_was_revoked_as_json() -> None:
    result = runner.invoke(app, ["keys", "revoke", "4f1c0a9b7d2e", "--json"])
    assert result.exit_code == 0, result.exception
    assert json.loads(result.output)["key_id"] == "4f1c0a9b7d2e"
