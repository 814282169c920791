"""Backups as docker-compose.yml makes them: by users of their own, with the log as pg_receivewal receives it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nats
import psycopg
import pytest
from redis import Redis

from infra.deployment.wal_receiver import SLOT
from infra.embedded import binaries
from infra.embedded.files import Home
from infra.embedded.recovery import Recovery
from riskee.backup import files
from riskee.backup.repository import Repository, repository_of
from riskee.backup.restoring import base_of
from riskee.backup.verifying import log_after
from riskee.backup.wal import SEGMENT, fetch, ship
from riskee.settings import BackupSettings, Settings
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.deployment.servers import HOST, Servers
from tests.integration.deployment.test_migrate import connect
from tests.unit.deployment.compose import services

pytestmark = pytest.mark.integration
# All but the vectors: there is no Qdrant here.
SYSTEMS = "postgres,nats,redis,files"


@dataclass(frozen=True)
class Place:
    """Where the log is received and backups are kept, in place of the containers' volumes."""

    servers: Servers
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "wal"

    def settings(self) -> Settings:
        key = self.servers.secret("backup_key")
        backup = BackupSettings.model_validate({"target": str(self.folder / "backups"), "key": key})
        return Settings(home=self.folder, backup=backup)

    def told(self, service: str) -> dict[str, str]:
        """What a service is told, and what is not the deployment's."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
        moved = {
            "RISKEE_HOME": str(self.folder),
            "RISKEE_BACKUP__TARGET": str(self.folder / "backups"),
            "RISKEE_BACKUP__WAL_FOLDER": str(self.log),
        }
        return own | self.servers.environment(service) | moved

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`docker compose run --rm cli …`."""
        command = [sys.executable, "-m", "riskee", *arguments]
        return subprocess.run(
            command, cwd=REPOSITORY, env=self.told("cli"), capture_output=True, text=True, check=False
        )

    def receiver(self, *arguments: str) -> list[str]:
        command = services()["wal-receiver"]["command"]
        assert command[0] == "python"
        return [sys.executable, *command[1:], *arguments]

    def received(self) -> bool:
        """What the container's health is asked by."""
        done = subprocess.run(
            self.receiver("--check"), cwd=REPOSITORY, env=self.told("wal-receiver"), capture_output=True, check=False
        )
        return done.returncode == 0

    def segments(self) -> list[str]:
        return sorted(path.name for path in self.log.iterdir() if SEGMENT.fullmatch(path.name))

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """The service wal-receiver."""
        with (self.folder / "receiver.log").open("ab") as output:
            process = subprocess.Popen(
                self.receiver(), cwd=REPOSITORY, env=self.told("wal-receiver"), stdout=output, stderr=output
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def place(servers: Servers) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="riskee-kept-") as name:
        (Path(name) / "wal").mkdir()
        yield Place(servers, Path(name))


async def write(servers: Servers) -> datetime:
    """Something in each system; returns the database's time before that in the database."""
    url = f"nats://ingest:{servers.secret('nats_ingest')}@{HOST}:{servers.nats}"
    client = await nats.connect(url, inbox_prefix="_INBOX.ingest")
    await client.publish("data.market.status", b"{}")
    await client.flush()
    await client.close()
    with Redis(port=servers.redis, username="predict", password=servers.secret("redis_predict")) as cache:
        cache.hset("pred:BACKUP", "body", "kept")
    with connect(servers, "riskee_record") as connection:
        statement = "INSERT INTO quarantine VALUES (gen_random_uuid(), now(), 'backups', 'made up', '')"
        found = connection.execute("SELECT clock_timestamp()").fetchone()
        connection.execute(statement)
    assert found is not None
    assert isinstance(found[0], datetime)
    return found[0]


async def test_what_is_made_by_its_own_users_is_whole_and_follows_the_log(place: Place, servers: Servers) -> None:
    repository = repository_of(place.settings())
    with place.receiving():
        await eventually(place.received, seconds=60)
        await write(servers)
        made = place.command("backup", "create", "--only", SYSTEMS, "--json")
        assert made.returncode == 0, made.stderr
        counts = {part.system: part.counts for part in repository.find(None).parts}
        assert counts["redis"]["keys"] >= 1
        assert counts["nats"]["MARKET_DATA"] >= 1
        assert {"riskee.api_keys", "riskee.quarantine"} <= set(counts["postgres"])
        after = await write(servers)
        with connect(servers, "riskee_backup") as connection:
            last = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        assert last is not None
        await eventually(lambda: last[0] in place.segments())
    assert ship(repository, place.log).newest == last[0]
    verified = place.command("backup", "verify", "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)[0]["wal_files"] >= 1
    assert recovered(place, repository) >= after


def recovered(place: Place, repository: Repository) -> datetime:
    """When the last transaction was made that is in the database once it has been recovered from what is kept."""
    manifest = repository.find(None)
    with tempfile.TemporaryDirectory(prefix="riskee-recovered-") as name:
        Path(name).chmod(0o711)
        home = Home(Path(name) / "home")
        home.create()
        recovery = Recovery(home, binaries.postgres_folder())
        recovery.begin()
        files.unpack(base_of(repository, manifest), recovery.folder)
        list(fetch(repository, log_after(repository, manifest.part("postgres")), recovery.log))
        recovery.check()
        # A server that recovers may have no fewer connections than the one that wrote the log.
        shutil.copyfile(REPOSITORY / "infra" / "postgres" / "postgresql.conf", recovery.folder / "postgresql.conf")
        found = recovery.recover(None, None, place.servers.secret("postgres_postgres")).last_transaction
    assert found is not None
    return found


def _is_given_up(connection: psycopg.Connection) -> bool:
    # The configuration is read again a moment after it was asked for.
    connection.execute("CHECKPOINT")
    state = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s"
    return connection.execute(state, (SLOT,)).fetchone() == ("lost",)


async def test_log_that_the_server_gave_up_is_received_from_anew(place: Place, servers: Servers) -> None:
    """The receiver was away for so long that the server removed what was kept for it."""
    with place.receiving():
        await eventually(place.received, seconds=60)
    with connect(servers, "postgres", "postgres") as connection:
        connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            for _ in range(3):
                connection.execute("SELECT pg_logical_emit_message(true, '', 'x'), pg_switch_wal()")
            await eventually(lambda: _is_given_up(connection), seconds=60)
        finally:
            connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
            connection.execute("SELECT pg_reload_conf()")
    assert not place.received()
    ship(repository_of(place.settings()), place.log)
    with place.receiving():
        await eventually(place.received, seconds=60)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM predictions",
        "INSERT INTO api_keys (key_id, name, digest, scopes, created_at) VALUES ('x', '', '', '{}', now())",
        "CREATE TABLE mine (one integer)",
        "CREATE ROLE friend SUPERUSER",
        "COPY tickers TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_promote()",
        "SET ROLE riskee_migrate",
    ],
)
def test_the_role_of_backups_only_reads(servers: Servers, statement: str) -> None:
    with connect(servers, "riskee_backup") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("role", ["riskee_api", "riskee_dagster", "riskee_migrate", "riskee_exporter"])
def test_no_other_role_is_sent_the_log(servers: Servers, role: str) -> None:
    address = f"postgresql://{role}:{servers.secret(f'postgres_{role}')}@{HOST}:{servers.postgres}/riskee"
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf"):
        psycopg.connect(address, replication="true")
