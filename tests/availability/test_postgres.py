"""A PostgreSQL that streams to a second one, which is promoted when the first dies: no recorded row is missing.

Configuration, roles and rights are those of docker-compose.yml. Everybody has one address, of both hosts.
"""

import asyncio
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from infra.deployment.migrate import deploy
from infra.deployment.secrets import write_secrets
from infra.deployment.wal_receiver import SLOT, prepared
from infra.embedded import readiness
from infra.embedded.binaries import postgres_folder
from infra.embedded.files import Home
from infra.embedded.identity import Identity
from infra.embedded.postgres import Postgres, connection_url, plain_environment
from riskee.backup.postgres import PostgresServer
from riskee.backup.receiving import log_is_received
from riskee.clock import SystemClock
from riskee.errors import RetryableError
from riskee.settings import DatabaseSettings, Settings
from riskee.storage import tables
from riskee.storage.database import close_engine, make_service_engine
from riskee.storage.recording import QUOTES, record
from tests.availability.measuring import MEASURED, Pauses, Takeover
from tests.availability.servers import HOST, Server, free_ports, started
from tests.integration.conftest import eventually
from tests.integration.deployment.servers import configured_postgres
from tests.integration.test_recorder import quote

# A commit is one when the second server has it too: only so nothing that was recorded can be missing after a takeover.
SYNCHRONOUS = ("-c", "synchronous_standby_names=*")


@dataclass(frozen=True)
class Pair:
    """A primary and its replica."""

    primary: Server
    replica: Server
    identity: Identity
    replica_data: Path
    secrets: Path
    # Of the bus, which `migrate` prepares too.
    others: Settings

    def settings(self, role: str) -> Settings:
        """As whoever is this role is told: whichever of both takes writes."""
        hosts = "&".join(f"host={HOST}:{server.port}" for server in (self.primary, self.replica))
        password = (self.secrets / f"postgres_{role}").read_text()
        url = f"postgresql+psycopg://{role}:{password}@/riskee?{hosts}&target_session_attrs=read-write"
        return self.others.model_copy(update={"database": DatabaseSettings(url=SecretStr(url))})

    def migrate(self) -> None:
        """The deployment's job."""
        deploy(self.settings("riskee_migrate"), self.secrets, SystemClock())

    def promote(self) -> None:
        """What an operator, Patroni or CloudNativePG does."""
        _run(self.identity, "pg_ctl", "promote", "-D", str(self.replica_data), "-w")


def _run(identity: Identity, program: str, *arguments: str) -> None:
    command = [*identity.prefix, str(postgres_folder() / program), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=plain_environment())
    assert done.returncode == 0, done.stderr


@pytest.fixture
def pair(folder: Path, settings: Settings) -> Iterator[Pair]:
    ports = free_ports(2)
    home = Home(folder)
    home.create()
    postgres = Postgres(home, postgres_folder())
    identity = postgres.identity()
    secrets = folder / "secrets"
    write_secrets(secrets)
    password = (secrets / "postgres_postgres").read_text()
    postgres.prepare(identity, password)
    data = home.data / "replica"
    options = configured_postgres(folder, identity)
    primary = _server("primary", (*postgres.command(identity, ports[0]), *options), ports[0], folder, password)
    standing_by = (*identity.prefix, str(postgres_folder() / "postgres"), "-D", str(data), "-p", str(ports[1]))
    replica = _server("replica", (*standing_by, *options), ports[1], folder, password)
    pair = Pair(primary, replica, identity, data, secrets, settings)
    with started(primary):
        pair.migrate()  # the second host is not there yet
        data.mkdir(mode=0o700)
        identity.own(data)
        # pg_hba.conf lets nobody replicate but the role of the backups.
        role, secret = "riskee_backup", (secrets / "postgres_riskee_backup").read_text()
        source = f"postgresql://{role}:{secret}@{HOST}:{ports[0]}/?application_name=replica"
        _run(identity, "pg_basebackup", "-D", str(data), "-d", source, "-R", "-X", "stream", "-c", "fast")
    primary.command = (*primary.command, *SYNCHRONOUS)
    with started(primary, replica):
        yield pair


def _server(name: str, command: Sequence[str], port: int, folder: Path, password: str) -> Server:
    probe = readiness.postgres(connection_url(port, password, "postgres"))
    return Server(name, folder, command, port, probe=probe, stopping=signal.SIGINT)


async def test_what_was_recorded_is_there_after_the_replica_took_over(pair: Pair, tmp_path: Path) -> None:
    engine = make_service_engine(pair.settings("riskee_record").database.url, 2)
    recorded: set[str] = set()
    pauses, stopping = Pauses(), asyncio.Event()

    async def write() -> None:
        number = 0
        while not stopping.is_set():
            batch = [quote(number + i) for i in range(20)]
            try:
                await asyncio.to_thread(record, engine, QUOTES, batch)
            except RetryableError:
                pauses.failed += 1
                await asyncio.sleep(0.1)
                continue
            pauses.succeeded()
            recorded.update(str(envelope.payload.quote_id) for envelope in batch)
            number += len(batch)
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    await eventually(lambda: len(recorded) > 500, 30)
    before = len(recorded)
    pair.primary.kill()
    await asyncio.to_thread(pair.promote)
    await eventually(lambda: len(recorded) > before + 500, 60)
    stopping.set()
    await writing
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW port")) == str(pair.replica.port)
        rows = [str(row.quote_id) for row in connection.execute(select(tables.quotes.c.quote_id))]
    close_engine(engine)
    lost = len(recorded - set(rows))
    MEASURED.append(Takeover("PostgreSQL, killed primary", len(recorded), lost, pauses.failed, pauses.longest))
    assert lost == 0
    assert len(rows) == len(set(rows))
    await asyncio.to_thread(pair.migrate)  # the first host is not there any more
    await asyncio.to_thread(a_backup_is_made, pair, len(rows))
    await the_log_is_received(pair, tmp_path)


def a_backup_is_made(pair: Pair, quotes: int) -> None:
    """By the address of both."""
    server = PostgresServer(pair.settings("riskee_backup"))
    sizes: dict[str, int] = {"base": 0, "riskee": 0, "dagster": 0}

    def add(what: str, block: bytes) -> None:
        sizes[what] += len(block)

    server.base(lambda block: add("base", block))
    assert server.databases() == ["riskee", "dagster"]
    server.dump("dagster", lambda block: add("dagster", block))
    assert server.dump("riskee", lambda block: add("riskee", block))["quotes"] == quotes
    assert min(sizes.values()) > 0


async def the_log_is_received(pair: Pair, folder: Path) -> None:
    """Under a slot that the new primary has not had: it is made."""
    server = PostgresServer(pair.settings("riskee_backup"))
    command, environment = await asyncio.to_thread(prepared, server, folder)
    with (folder.parent / "receiver.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        await eventually(lambda: asyncio.to_thread(log_is_received, server, SLOT), 30)
    finally:
        process.terminate()
        process.wait(20)
