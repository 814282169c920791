"""Secrets from files, and passwords beside addresses."""

from pathlib import Path

import pytest

from riskee.cli.settings import values
from riskee.errors import FatalError
from riskee.settings import ENV_PREFIX, Settings, load_settings
from riskee.settings.addresses import with_password
from riskee.settings.files import secrets_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RISKEE_HOME", str(tmp_path))
    monkeypatch.setenv("RISKEE_PROFILE", "compose")
    return tmp_path


def test_a_password_is_read_from_its_file_and_put_into_the_address(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "password").write_text("a/b@c:d\n")
    monkeypatch.setenv("RISKEE_DATABASE__URL", "postgresql+psycopg://riskee_api:old@db:5432/riskee?sslmode=verify-full")
    monkeypatch.setenv("RISKEE_DATABASE__PASSWORD_FILE", str(home / "password"))
    database = load_settings().database
    expected = "postgresql+psycopg://riskee_api:a%2Fb%40c%3Ad@db:5432/riskee?sslmode=verify-full"
    assert database.url.get_secret_value() == expected
    assert database.pool_size == 4


def test_a_password_goes_with_the_default_address_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_REDIS__PASSWORD", "made-up")
    settings = load_settings()
    assert settings.redis.url.get_secret_value() == "redis://:made-up@localhost:6379/0"
    assert "made-up" not in repr(settings)
    assert "made-up" not in str(values(settings, ENV_PREFIX))


def test_a_password_goes_into_each_address_of_a_list() -> None:
    assert with_password("nats://a@n1:4222,nats://a@n2:4222", "p") == "nats://a:p@n1:4222,nats://a:p@n2:4222"
    assert with_password("postgresql://a@h1:5432,h2:5432/db", "p") == "postgresql://a:p@h1:5432,h2:5432/db"


def test_backups_have_passwords_of_their_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "password").write_text("made-up")
    monkeypatch.setenv("RISKEE_BACKUP__NATS_PASSWORD_FILE", str(home / "password"))
    with pytest.raises(FatalError, match="no `nats_url`"):
        load_settings()
    monkeypatch.setenv("RISKEE_BACKUP__NATS_URL", "tls://backup@nats:4222")
    url = load_settings().backup.nats_url
    assert url is not None
    assert url.get_secret_value() == "tls://backup:made-up@nats:4222"


def test_a_password_without_a_user_is_refused_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_NATS__PASSWORD", "made-up")
    with pytest.raises(FatalError, match="names no user") as raised:
        load_settings()
    assert "made-up" not in str(raised.value)


def test_every_secret_may_be_in_a_file() -> None:
    names = {secret.variable for secret in secrets_of(Settings, ENV_PREFIX)}
    assert {"RISKEE_DATABASE__URL", "RISKEE_API__GUARD__KEY_PEPPER", "RISKEE_API__JWT__KEYS"} <= names
    assert "RISKEE_LLM__URL" not in names


def test_keys_of_tokens_are_json_in_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "keys").write_text('{"2026-11": "%s"}' % ("k" * 32))
    monkeypatch.setenv("RISKEE_API__JWT__ISSUER", "https://login.example")
    monkeypatch.setenv("RISKEE_API__JWT__KEYS_FILE", str(home / "keys"))
    assert load_settings().api.jwt.keys["2026-11"].get_secret_value() == "k" * 32
    (home / "keys").write_text("top-secret")
    with pytest.raises(FatalError, match="holds no JSON") as raised:
        load_settings()
    assert "top-secret" not in str(raised.value)


@pytest.mark.parametrize("content", [None, "", "\n", "x" * 70_000])
def test_a_file_that_is_no_secret_is_refused_by_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (home / "password").write_text(content)
    monkeypatch.setenv("RISKEE_NATS__PASSWORD_FILE", str(home / "password"))
    with pytest.raises(FatalError, match="RISKEE_NATS__PASSWORD_FILE"):
        load_settings()


def test_a_secret_given_twice_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "password").write_text("one")
    monkeypatch.setenv("RISKEE_NATS__PASSWORD_FILE", str(home / "password"))
    monkeypatch.setenv("RISKEE_NATS__PASSWORD", "two")
    with pytest.raises(FatalError, match="unset one"):
        load_settings()


def test_only_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_API__PORT_FILE", "/run/port")
    with pytest.raises(FatalError, match="RISKEE_API__PORT_FILE"):
        load_settings()
