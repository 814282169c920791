"""A dump in a server that is older than the tools: docker-compose.yml has PostgreSQL 16, and the images tools of 18."""

import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from infra.embedded import readiness
from infra.embedded.files import Home
from infra.embedded.postgres import Postgres, connection_url
from riskee.backup.filling import fill
from riskee.backup.postgres import PostgresServer
from riskee.settings import Settings
from riskee.storage.migrations import migrate
from tests.integration.deployment.servers import _process
from tests.integration.front_server import free_port

# Where Debian has them; the newest that does not know what those from 17 on do.
OLDER = sorted(path for path in Path("/usr/lib/postgresql").glob("1[4-6]/bin") if (path / "initdb").exists())
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not OLDER, reason="there is no PostgreSQL before 17 on this machine"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """SQLAlchemy's address of such a server, up to the database's name."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="riskee-older-") as name:
        Path(name).chmod(0o711)
        home = Home(Path(name) / "home")
        home.create()
        cluster = Postgres(home, OLDER[-1])
        identity = cluster.identity()
        cluster.prepare(identity, "old")
        command = (*cluster.command(identity, port), "-c", "fsync=off")
        ready = readiness.postgres(connection_url(port, "old", "postgres"))
        with _process(command, Path(name) / "log", ready, signal.SIGINT):
            yield connection_url(port, "old", "").replace("postgresql://", "postgresql+psycopg://")


def settings_of(address: str, database: str) -> Settings:
    settings = Settings()
    changed = settings.database.model_copy(update={"url": SecretStr(address + database)})
    return settings.model_copy(update={"database": changed})


def test_a_dump_of_an_older_server_goes_back_into_it(address: str) -> None:
    plain = re.sub(r"\+psycopg", "", address)
    with psycopg.connect(f"{plain}postgres", autocommit=True) as connection:
        assert connection.info.server_version < 170000
        for database in ("source", "target"):
            connection.execute(f"CREATE DATABASE {database}")
    settings = settings_of(address, "source")
    migrate(settings.database.url, settings)
    with psycopg.connect(f"{plain}source") as connection:
        connection.execute("INSERT INTO tickers (ticker, name, source) VALUES ('IBM', 'IBM Inc.', 'made up')")
    server = PostgresServer(settings)
    blocks: list[bytes] = []
    counts = server.dump("source", blocks.append)
    fill(server, "target", blocks)
    assert server.rows("target") == counts
    assert counts["tickers"] == 1
