"""The job that runs before the services."""

import psycopg
import pytest

from infra.deployment.identities import POSTGRES_ROLES
from tests.integration.deployment.conftest import run_migrate
from tests.integration.deployment.servers import Servers

pytestmark = pytest.mark.integration


def connect(servers: Servers, role: str, database: str = "riskee", password: str | None = None) -> psycopg.Connection:
    secret = servers.secret(f"postgres_{role}") if password is None else password
    return psycopg.connect(f"postgresql://{role}:{secret}@127.0.0.1:{servers.postgres}/{database}", autocommit=True)


def test_it_may_run_again(servers: Servers) -> None:
    done = run_migrate(servers)
    assert done.returncode == 0, done.stdout + done.stderr
    with connect(servers, "riskee_api") as connection:
        keys = connection.execute(
            "SELECT name, scopes FROM api_keys WHERE name = 'prometheus' AND revoked_at IS NULL"
        ).fetchall()
    assert keys == [("prometheus", ["metrics:read"])]


def test_it_names_a_secret_that_is_missing(servers: Servers) -> None:
    file = servers.secrets / "postgres_riskee_api"
    hidden = file.rename(file.with_name("hidden"))
    try:
        done = run_migrate(servers)
    finally:
        hidden.rename(file)
    assert done.returncode == 1
    assert "postgres_riskee_api" in done.stdout + done.stderr


@pytest.mark.parametrize("role", POSTGRES_ROLES)
def test_each_role_needs_its_own_password(servers: Servers, role: str) -> None:
    database = "dagster" if role == "dagster" else "riskee"
    with connect(servers, role, database) as connection:
        assert connection.execute("SELECT session_user::text").fetchone() == (role,)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        connect(servers, role, database, password="wrong")


def test_no_secret_is_in_any_log(servers: Servers) -> None:
    logs = "".join(file.read_text(errors="replace") for file in servers.logs.glob("*.log"))
    assert logs
    found = [
        file.name for file in servers.secrets.iterdir() if len(file.read_text()) < 100 and file.read_text() in logs
    ]
    assert found == []
