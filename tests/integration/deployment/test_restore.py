"""A backup of one deployment in the new servers of another, by the commands of docker-compose.yml: `restore`, then
`migrate`. The second has other passwords, and the key of the backups.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from riskee.backup.repository import repository_of
from riskee.backup.timescale import EXTENSION
from tests.conftest import REPOSITORY
from tests.integration.deployment.conftest import run_migrate
from tests.integration.deployment.servers import Servers, running_servers
from tests.integration.deployment.test_backups import SYSTEMS, Place, write
from tests.integration.deployment.test_migrate import connect
from tests.unit.deployment.compose import services

pytestmark = pytest.mark.integration
OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE nspname = 'public'
"""


@dataclass(frozen=True)
class Restored:
    """The servers of another deployment after the first `restore`, and what that said."""

    servers: Servers
    kept: Place
    made: dict[str, dict[str, int]]
    done: subprocess.CompletedProcess[str]


def restore(kept: Place, servers: Servers) -> subprocess.CompletedProcess[str]:
    """`docker compose run --rm restore --json`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    moved = {
        "RISKEE_HOME": str(servers.logs),
        "RISKEE_BACKUP__TARGET": str(kept.folder / "backups"),
        "RISKEE_BACKUP__KEY_FILE": str(kept.servers.secrets / "backup_key"),
    }
    command = [sys.executable, *services()["restore"]["entrypoint"][1:], "--json"]
    environment = own | servers.environment("restore") | moved
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def restored(servers: Servers) -> Iterator[Restored]:
    with tempfile.TemporaryDirectory(prefix="riskee-kept-") as name:
        kept = Place(servers, Path(name))
        asyncio.run(write(servers))
        with connect(servers, "dagster", "dagster") as connection:
            connection.execute("CREATE TABLE runs (id bigserial PRIMARY KEY, status text NOT NULL)")
            connection.execute("INSERT INTO runs (status) VALUES ('SUCCESS')")
        try:
            yield from _restored(kept)
        finally:
            with connect(servers, "dagster", "dagster") as connection:
                connection.execute("DROP TABLE runs")


def _restored(kept: Place) -> Iterator[Restored]:
    made = kept.command("backup", "create", "--only", SYSTEMS, "--json")
    assert made.returncode == 0, made.stderr
    counts = {name: part["counts"] for name, part in json.loads(made.stdout)["parts"].items()}
    with (
        tempfile.TemporaryDirectory(prefix="riskee-compose-") as name,
        running_servers(Path(name)) as servers,
    ):
        yield Restored(servers, kept, counts, restore(kept, servers))


def test_all_that_was_saved_is_back(restored: Restored) -> None:
    assert restored.done.returncode == 0, restored.done.stdout + restored.done.stderr
    counts = json.loads(restored.done.stdout)["counts"]
    assert counts == restored.made["postgres"] | restored.made["nats"]
    assert counts["riskee.quarantine"] >= 1
    assert counts["dagster.runs"] == 1
    assert counts["MARKET_DATA"] >= 1
    part = repository_of(restored.kept.settings()).find(None).part("postgres")
    assert part is not None
    assert {part.facts[f"{database}.{EXTENSION}"] for database in ("riskee", "dagster")} == {""}, "plain PostgreSQL"


def test_it_belongs_to_its_owners_and_nobody_gets_in_before_migrate(restored: Restored) -> None:
    servers = restored.servers
    for database, owner in (("riskee", "riskee_migrate"), ("dagster", "dagster")):
        with connect(servers, "postgres", database) as connection:
            assert connection.execute(OWNERS).fetchall() == [(owner,)]
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        connect(servers, "riskee_record")
    again = restore(restored.kept, servers)
    assert again.returncode == 1
    assert "the database riskee is not empty" in again.stderr


async def test_after_migrate_the_services_go_on(restored: Restored) -> None:
    servers = restored.servers
    done = run_migrate(servers)
    assert done.returncode == 0, done.stdout + done.stderr
    await write(servers)
    with connect(servers, "riskee_api") as connection:
        assert connection.execute("SELECT count(*) >= 2 FROM quarantine").fetchone() == (True,)
    with connect(servers, "riskee_api") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM quarantine")
    with connect(servers, "riskee_dagster") as connection:
        connection.execute(
            "CREATE TABLE quotes_once PARTITION OF quotes FOR VALUES FROM ('1970-01-01') TO ('1970-01-02')"
        )
    with connect(servers, "dagster", "dagster") as connection:
        connection.execute("INSERT INTO runs (status) VALUES ('STARTED')")
