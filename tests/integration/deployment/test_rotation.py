"""A secret is made anew, as docs/deployment.md says: what was before it is good no more, or as long as is said."""

from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from infra.deployment.secrets import METRICS_TOKEN, PEPPER, forget, renew
from riskee.storage.database import make_engine
from tests.integration.api_callers import key_for
from tests.integration.conftest import eventually
from tests.integration.deployment.conftest import run_migrate
from tests.integration.deployment.servers import HOST, Servers
from tests.integration.deployment.services import running_services
from tests.integration.deployment.test_migrate import connect

pytestmark = pytest.mark.integration


def migrate(servers: Servers) -> None:
    done = run_migrate(servers)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_role_has_its_new_password_alone(servers: Servers) -> None:
    databases = {"postgres": "postgres", "riskee_api": "riskee"}
    before = {role: servers.secret(f"postgres_{role}") for role in databases}
    for role in databases:
        renew(servers.secrets, f"postgres_{role}")
    migrate(servers)
    for role, database in databases.items():
        connect(servers, role, database).close()
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            connect(servers, role, database, password=before[role])
    forget(servers.secrets, "postgres_postgres")


async def test_keys_outlive_their_pepper_until_it_is_forgotten(servers: Servers, tmp_path: Path) -> None:
    url = f"postgresql://riskee_migrate:{servers.secret('postgres_riskee_migrate')}@{HOST}:{servers.postgres}/riskee"
    owner = make_engine(SecretStr(url), 1)
    old = key_for(owner, pepper=servers.secret(PEPPER))
    metrics_before = servers.secret(METRICS_TOKEN)
    renew(servers.secrets, PEPPER)
    renew(servers.secrets, METRICS_TOKEN)
    migrate(servers)
    new = key_for(owner, pepper=servers.secret(PEPPER))
    owner.dispose()
    wanted = {old: 200, new: 200, servers.secret(METRICS_TOKEN): 200, metrics_before: 401}
    assert await answers(servers, tmp_path, tuple(wanted)) == wanted
    forget(servers.secrets, PEPPER)
    wanted[old] = 401
    assert await answers(servers, tmp_path, tuple(wanted)) == wanted


async def answers(servers: Servers, folder: Path, tokens: tuple[str, ...]) -> dict[str, int]:
    """What the API, started anew, says to each of these keys that asks for its metrics."""
    with running_services(servers, folder, {"RISKEE_HOME": str(folder)}, ("api",)) as running:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{running.api}", timeout=60) as client:

            async def ready() -> bool:
                try:
                    return bool((await client.get("/health/ready")).json()["status"] == "ok")
                except httpx.ConnectError:
                    return False

            await eventually(ready, seconds=60)
            asked = {token: {"Authorization": f"Bearer {token}"} for token in tokens}
            return {token: (await client.get("/metrics", headers=head)).status_code for token, head in asked.items()}
