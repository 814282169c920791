"""A PostgreSQL that streams to a second one, which is promoted when the first dies: no recorded row is missing."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from infra.embedded import readiness
from infra.embedded.binaries import postgres_folder
from infra.embedded.files import Home
from infra.embedded.identity import Identity
from infra.embedded.postgres import DATABASES, Postgres, connection_url, ensure_databases, plain_environment
from riskee.errors import RetryableError
from riskee.settings import Settings
from riskee.storage import tables
from riskee.storage.database import close_engine, make_service_engine
from riskee.storage.migrations import migrate
from riskee.storage.recording import QUOTES, record
from tests.availability.measuring import MEASURED, Pauses, Takeover
from tests.availability.servers import HOST, Server, free_ports, started
from tests.integration.conftest import eventually
from tests.integration.test_recorder import quote

PASSWORD = "for-this-test"
# A commit is one when the second server has it too: only so nothing that was recorded can be missing after a takeover.
SYNCHRONOUS = ("-c", "wal_level=replica", "-c", "synchronous_standby_names=*")


@dataclass(frozen=True)
class Pair:
    """A primary and its replica."""

    primary: Server
    replica: Server
    identity: Identity
    replica_data: Path

    @property
    def url(self) -> SecretStr:
        """Whichever of both takes writes."""
        hosts = "&".join(f"host={HOST}:{server.port}" for server in (self.primary, self.replica))
        return SecretStr(f"postgresql+psycopg://postgres:{PASSWORD}@/riskee?{hosts}&target_session_attrs=read-write")

    def promote(self) -> None:
        """What an operator, Patroni or CloudNativePG does."""
        _run(self.identity, "pg_ctl", "promote", "-D", str(self.replica_data), "-w")


def _run(identity: Identity, program: str, *arguments: str) -> None:
    command = [*identity.prefix, str(postgres_folder() / program), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=plain_environment())
    assert done.returncode == 0, done.stderr


@pytest.fixture
def pair(folder: Path) -> Iterator[Pair]:
    ports = free_ports(2)
    home = Home(folder)
    home.create()
    postgres = Postgres(home, postgres_folder())
    identity = postgres.identity()
    postgres.prepare(identity, PASSWORD)
    primary = _server("primary", postgres.command(identity, ports[0]), folder, ports[0])
    data = home.data / "replica"
    with started(primary):
        ensure_databases(ports[0], PASSWORD, DATABASES[:1])
        data.mkdir(mode=0o700)
        identity.own(data)
        source = f"{connection_url(ports[0], PASSWORD, 'postgres')}?application_name=replica"
        _run(identity, "pg_basebackup", "-D", str(data), "-d", source, "-R", "-X", "stream", "-c", "fast")
    primary = _server("primary", (*primary.command, *SYNCHRONOUS), folder, ports[0])
    command = (*identity.prefix, str(postgres_folder() / "postgres"), "-D", str(data), "-p", str(ports[1]))
    replica = _server("replica", command, folder, ports[1])
    with started(primary, replica):
        yield Pair(primary, replica, identity, data)


def _server(name: str, command: Sequence[str], folder: Path, port: int) -> Server:
    probe = readiness.postgres(connection_url(port, PASSWORD, "postgres"))
    return Server(name, folder, command, port, probe=probe, stopping=signal.SIGINT)


async def test_what_was_recorded_is_there_after_the_replica_took_over(pair: Pair, settings: Settings) -> None:
    await asyncio.to_thread(migrate, pair.url, settings)
    engine = make_service_engine(pair.url, 2)
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
