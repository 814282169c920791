"""Settings: typed, frozen, and deaf to nothing."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from riskee.cli.settings import values
from riskee.errors import FatalError
from riskee.features.definitions import EARNINGS_AHEAD_SESSIONS
from riskee.settings import ENDPOINTS_FILE, load_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RISKEE_HOME", str(tmp_path))
    return tmp_path


def _write_endpoints(home: Path, content: str) -> None:
    file = home / ENDPOINTS_FILE
    file.parent.mkdir(parents=True)
    file.write_text(content)


def test_the_window_of_reports_ends_before_the_distance_of_reports_that_are_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else each row without a report would count as near one, in training and live."""
    monkeypatch.setenv("RISKEE_MODEL__EARNINGS_WINDOW_SESSIONS", str(EARNINGS_AHEAD_SESSIONS - 1))
    load_settings()
    monkeypatch.setenv("RISKEE_MODEL__EARNINGS_WINDOW_SESSIONS", str(EARNINGS_AHEAD_SESSIONS))
    with pytest.raises(FatalError, match=r"(?i)earnings_window_sessions"):
        load_settings()


def test_defaults_are_the_owners_ports() -> None:
    settings = load_settings()
    assert settings.api.port == 8000
    assert settings.nats.url.get_secret_value().endswith(":4222")


def test_a_variable_overrides_one_leaf_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_FEED__REPLAY__SESSIONS", "30")
    replay = load_settings().feed.replay
    assert replay.sessions == 30
    assert replay.repeat is True


def test_a_typo_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_API__PROT", "1")
    with pytest.raises(FatalError, match="RISKEE_API__PROT"):
        load_settings()


def test_variables_of_the_test_suite_are_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_TEST_TIMESCALE_DSN", "postgresql://nowhere")
    load_settings()


def test_a_value_that_does_not_fit_names_the_setting_and_not_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_API__PORT", "seven")
    with pytest.raises(FatalError, match=r"api\.port") as raised:
        load_settings()
    assert "seven" not in str(raised.value)


def test_endpoints_of_the_embedded_stack_are_read_below_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_endpoints(home, json.dumps({"api": {"port": 8001}, "llm": {"url": "http://127.0.0.1:5"}}))
    monkeypatch.setenv("RISKEE_API__PORT", "8002")
    settings = load_settings()
    assert (settings.api.port, settings.llm.url) == (8002, "http://127.0.0.1:5")


def test_other_profiles_do_not_read_the_embedded_endpoints(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_endpoints(home, json.dumps({"api": {"port": 8001}}))
    monkeypatch.setenv("RISKEE_PROFILE", "compose")
    assert load_settings().api.port == 8000


def test_a_broken_endpoints_file_says_how_to_mend_it(home: Path) -> None:
    _write_endpoints(home, "{")
    with pytest.raises(FatalError, match="riskee up"):
        load_settings()


def test_settings_are_frozen_and_hide_secrets() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.api.port = 1  # type: ignore[misc]
    assert "riskee@localhost" not in repr(settings)


def test_tickers_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().data.tickers == ()
    monkeypatch.setenv("RISKEE_DATA__TICKERS", "AAPL, BRK.B,")
    assert load_settings().data.tickers == ("AAPL", "BRK.B")


def test_a_vendors_keys_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_ALPACA__KEY_ID", "PKMADEUP")
    monkeypatch.setenv("RISKEE_ALPACA__SECRET_KEY", "made-up-secret")
    settings = load_settings()
    assert settings.alpaca.secret_key is not None
    assert settings.alpaca.secret_key.get_secret_value() == "made-up-secret"
    assert "made-up-secret" not in repr(settings)
    assert "PKMADEUP" not in str(values(settings, "RISKEE_"))


def test_there_are_as_many_parts_as_predictors_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().predict.parts == 1
    monkeypatch.setenv("RISKEE_PREDICT__PROCESSES", "2")
    assert load_settings().predict.parts == 2
    monkeypatch.setenv("RISKEE_PREDICT__PARTITIONS", "8")
    assert load_settings().predict.parts == 8
