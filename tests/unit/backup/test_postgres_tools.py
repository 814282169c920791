"""Where PostgreSQL's own tools are sent by the settings' address."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from riskee.backup.postgres import PostgresServer
from riskee.backup.receiving import receiver
from riskee.settings import BackupSettings, DatabaseSettings, Settings

TWO_HOSTS = "postgresql+psycopg://backup:secret@/riskee?host=a:5432&host=b:5433&target_session_attrs=read-write"
TLS = "postgresql+psycopg://backup:secret@a:5432/riskee?sslmode=verify-full&sslrootcert=/run/secrets/ca"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    for name in ("pg_basebackup", "pg_dump", "pg_restore", "psql"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("address", "where"),
    [
        (TWO_HOSTS, {"host": "a,b", "port": "5432,5433", "target_session_attrs": "read-write"}),
        (TLS, {"host": "a", "port": "5432", "sslmode": "verify-full", "sslrootcert": "/run/secrets/ca"}),
    ],
)
def test_the_receiver_of_the_log_goes_where_the_services_go(
    tools: Path, address: str, where: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    settings = Settings(database=DatabaseSettings(url=SecretStr(address)), backup=BackupSettings(postgres_tools=tools))
    command, environment = receiver(PostgresServer(settings), "slot", tools)
    assert conninfo_to_dict(command[-1]) == {"user": "backup", "dbname": "riskee"} | where
    assert environment["PGPASSWORD"] == "secret"
    assert not [word for word in command if "secret" in word.replace("/run/secrets", "")]


def test_another_database_is_of_the_same_server() -> None:
    server = PostgresServer(Settings(database=DatabaseSettings(url=SecretStr(TWO_HOSTS))))
    told = conninfo_to_dict(server.bare_address("dagster"))
    assert (told["dbname"], told["host"], told["port"]) == ("dagster", "a,b", "5432,5433")
