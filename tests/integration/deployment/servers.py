"""PostgreSQL, Redis and NATS with the configuration files that docker-compose.yml mounts, as the embedded binaries run
them: the files as they are; ports, folders and the loopback's address are said on the command line.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infra.deployment.secrets import write_secrets
from infra.embedded import binaries, readiness
from infra.embedded.files import Home
from infra.embedded.identity import Identity
from infra.embedded.postgres import Postgres, connection_url
from infra.embedded.readiness import NotReadyError
from tests.conftest import REPOSITORY
from tests.integration.front_server import free_port
from tests.unit.deployment.compose import environment

HOST = "127.0.0.1"
_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Servers:
    """The three servers and the secrets that were made for them."""

    secrets: Path
    logs: Path
    postgres: int
    redis: int
    nats: int
    # Certificates, where NATS speaks TLS alone, as in docker-compose.tls.yml. The others are built without TLS here.
    tls: Path | None = None

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def environment(self, service: str) -> dict[str, str]:
        """What a service of docker-compose.yml is told, with the addresses and secrets of these servers."""
        addresses = {
            "@timescaledb:5432": f"@{HOST}:{self.postgres}",
            "@redis:6379": f"@{HOST}:{self.redis}",
            "@nats:4222": f"@{HOST}:{self.nats}",
            # These are not there: an explanation does without.
            "http://qdrant:6333": f"http://{HOST}:9",
            "http://ollama:11434": f"http://{HOST}:9",
            "/run/secrets": str(self.secrets),
        }
        # The disk of a test is small, and its machine busy: neither the streams' sizes nor haste are tested.
        small = {"RISKEE_NATS__STORE_LIMIT_BYTES": str(64 * 2**20), "RISKEE_REDIS__TIMEOUT_SECONDS": "10"}
        return environment(service, addresses) | small


@contextmanager
def running_servers(folder: Path, tls: Path | None = None) -> Iterator[Servers]:
    """The servers, ready; ended when the context is left."""
    folder.chmod(0o711)
    secrets = folder / "run" / "secrets"
    secrets.parent.mkdir()
    write_secrets(secrets)
    servers = Servers(secrets, folder, free_port(), free_port(), free_port(), tls)
    with ExitStack() as stack:
        for start in (_postgres, _redis, _nats):
            stack.enter_context(start(folder, servers))
        yield servers


@contextmanager
def _process(command: Sequence[str], log: Path, ready: Callable[[], None], stop: signal.Signals) -> Iterator[None]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ)
    try:
        _await(process, ready, log)
        yield
    finally:
        process.send_signal(stop)
        process.wait(60)


def _await(process: subprocess.Popen[bytes], ready: Callable[[], None], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        with suppress(NotReadyError):
            return ready()
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


def configured_postgres(folder: Path, identity: Identity) -> tuple[str, ...]:
    """The options by which a PostgreSQL reads the files that compose mounts, copied to where it may read them."""
    files = [folder / name for name in ("postgresql.conf", "pg_hba.conf")]
    for file in files:
        shutil.copy(REPOSITORY / "infra" / "postgres" / file.name, file)
        identity.own(file)
    return (
        "-c", f"config_file={files[0]}", "-c", f"hba_file={files[1]}",
        "-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=",
    )  # fmt: skip


def configured_nats(folder: Path) -> Path:
    """nats.conf, which includes the users' passwords by a path relative to itself: `run/secrets` of the folder."""
    file = folder / "etc" / "nats" / "nats.conf"
    file.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "infra" / "nats" / "nats.conf", file)
    return file


def _postgres(folder: Path, servers: Servers) -> AbstractContextManager[None]:
    home = Home(folder / "home")
    home.create()
    cluster = Postgres(home, binaries.postgres_folder())
    identity = cluster.identity()
    password = servers.secret("postgres_postgres")
    cluster.prepare(identity, password)
    command = (*cluster.command(identity, servers.postgres), *configured_postgres(folder, identity), "-c", "fsync=off")
    ready = readiness.postgres(connection_url(servers.postgres, password, "postgres"))
    return _process(command, folder / "postgres.log", ready, signal.SIGINT)


def _redis(folder: Path, servers: Servers) -> AbstractContextManager[None]:
    data = folder / "redis"
    data.mkdir()
    command = (
        str(binaries.valkey_server()), str(REPOSITORY / "infra" / "redis" / "redis.conf"), "--bind", HOST,
        "--port", str(servers.redis), "--dir", str(data), "--aclfile", str(servers.secrets / "redis_users.acl"),
    )  # fmt: skip
    url = f"redis://health:{servers.secret('redis_health')}@{HOST}:{servers.redis}/0"
    return _process(command, folder / "redis.log", readiness.valkey(url), signal.SIGTERM)


def _nats(folder: Path, servers: Servers) -> AbstractContextManager[None]:
    file = configured_nats(folder)
    monitor = free_port()
    command: tuple[str, ...] = (
        str(binaries.nats_server()), "-c", str(file), "-a", HOST, "-p", str(servers.nats), "-m", str(monitor),
        "--store_dir", str(folder / "nats"),
    )  # fmt: skip
    ready = readiness.nats(servers.nats, monitor, "api", servers.secret("nats_api"))
    if servers.tls:
        certificate, key = servers.tls / "nats.pem", servers.tls / "nats.key"
        command = (*command, "--tls", "--tlscert", str(certificate), "--tlskey", str(key))
        ready = readiness.http_get(monitor, "/healthz")
    return _process(command, folder / "nats.log", ready, signal.SIGTERM)
