"""TLS on the links: the adapters trust their authority alone, and do not go on without TLS where it is asked for.

NATS speaks it itself. The embedded Valkey and PostgreSQL are built without: something else does so before them.
"""

import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riskee.certificates import make_certificates
from tests.conftest import REPOSITORY
from tests.integration.deployment.servers import HOST, Servers, running_servers
from tests.integration.deployment.tls_front import tls_front
from tests.integration.front_server import free_port

pytestmark = pytest.mark.integration
# What the adapters do first, with the settings of a service.
_CALL = """
import asyncio
from riskee.backup.redis import RedisServer
from riskee.cli.server_checks import check_redis
from riskee.settings import load_settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import database_errors, make_engine

settings = load_settings()

async def bus():
    await (await Bus.connect(settings.nats, "api", timeout=5)).close()

async def cache():
    connected = Cache.connect(settings.redis)
    await connected.ping()
    await connected.close()

def backup():
    RedisServer(settings.redis).facts()
    RedisServer(settings.redis).rdb(len)

def doctor():
    check_redis(settings)

def database():
    with database_errors(), make_engine(settings.database.url, 1).connect():
        pass

asyncio.run(LINK()) if asyncio.iscoroutinefunction(LINK) else LINK()
"""
LINKS = ("bus", "cache", "backup", "database")
USERS = {"backup": "backup", "doctor": "operator"}


@pytest.fixture(scope="module")
def secured() -> Iterator[Servers]:
    """The servers, behind TLS. The superuser is the database's user, for there are no roles yet."""
    with tempfile.TemporaryDirectory(prefix="riskee-tls-") as name:
        make_certificates(Path(name) / "tls", datetime.now(UTC))
        tls = Path(name) / "tls"
        with (
            running_servers(Path(name), tls) as servers,
            tls_front(servers.redis, tls, "redis") as redis,
            tls_front(servers.postgres, tls, "timescaledb") as postgres,
        ):
            yield replace(servers, redis=redis, postgres=postgres)


def call(servers: Servers, link: str, authority: Path | None, **changes: str) -> subprocess.CompletedProcess[str]:
    user = USERS.get(link, "api")
    told = {
        "RISKEE_HOME": str(servers.logs),
        "RISKEE_PROFILE": "compose",
        "RISKEE_DATABASE__URL": f"postgresql+psycopg://postgres@localhost:{servers.postgres}/postgres",
        "RISKEE_DATABASE__PASSWORD_FILE": str(servers.secrets / "postgres_postgres"),
        "RISKEE_REDIS__URL": f"rediss://{user}@localhost:{servers.redis}/0",
        "RISKEE_REDIS__PASSWORD_FILE": str(servers.secrets / f"redis_{user}"),
        "RISKEE_REDIS__TIMEOUT_SECONDS": "20",
        "RISKEE_NATS__URL": f"tls://api@localhost:{servers.nats}",
        "RISKEE_NATS__PASSWORD_FILE": str(servers.secrets / "nats_api"),
        "PGSSLMODE": "verify-full",
        "PGSSLNEGOTIATION": "direct",
    }
    if authority is not None:
        told |= {"PGSSLROOTCERT": str(authority)}
        told |= {f"RISKEE_{server}__AUTHORITY": str(authority) for server in ("NATS", "REDIS")}
    command = [sys.executable, "-c", _CALL.replace("LINK", link)]
    return subprocess.run(command, cwd=REPOSITORY, env=told | changes, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("link", [*LINKS, "doctor"])
def test_a_link_is_encrypted(secured: Servers, link: str) -> None:
    assert secured.tls is not None
    done = call(secured, link, secured.tls / "authority.pem")
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("link", LINKS)
def test_another_authority_is_not_trusted(secured: Servers, link: str, tmp_path: Path) -> None:
    make_certificates(tmp_path / "other", datetime.now(UTC), servers=())
    done = call(secured, link, tmp_path / "other" / "authority.pem")
    assert done.returncode != 0
    assert "RetryableError" in done.stderr


def test_no_link_goes_on_without_tls(servers: Servers) -> None:
    """Asked for TLS, by servers that have none."""
    for link in LINKS:
        done = call(servers, link, None, PGSSLNEGOTIATION="postgres", RISKEE_REDIS__TIMEOUT_SECONDS="1")
        assert done.returncode != 0, link
        assert "RetryableError" in done.stderr, link


def test_the_bus_takes_nothing_without_tls(secured: Servers) -> None:
    with socket.create_connection((HOST, secured.nats), timeout=5) as client, client.makefile("rb") as lines:
        assert b'"tls_required":true' in lines.readline()
        client.sendall(b'CONNECT {"verbose":true}\r\nPING\r\n')
        try:
            answer = lines.readline()
        except ConnectionResetError:
            answer = b""
        assert b"PONG" not in answer
        assert b"OK" not in answer


def test_the_api_speaks_tls_alone(secured: Servers) -> None:
    assert secured.tls is not None
    port = free_port()
    told = {
        "RISKEE_HOME": str(secured.logs),
        "RISKEE_PROFILE": "compose",
        "RISKEE_API__HOST": HOST,
        "RISKEE_API__PORT": str(port),
        "RISKEE_API__TLS__CERTIFICATE": str(secured.tls / "api.pem"),
        "RISKEE_API__TLS__KEY": str(secured.tls / "api.key"),
        "RISKEE_DATABASE__URL": f"postgresql+psycopg://nobody@{HOST}:9/nothing",
        "RISKEE_REDIS__URL": f"redis://{HOST}:9/0",
        "RISKEE_NATS__URL": f"nats://{HOST}:9",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.api"], cwd=REPOSITORY, env=told, stdout=subprocess.DEVNULL
    )
    probe = [sys.executable, "-m", "infra.deployment.probe"]
    trusting = {"SSL_CERT_FILE": str(secured.tls / "authority.pem")}

    def answers(url: str, **environ: str) -> bool:
        return subprocess.run([*probe, url], cwd=REPOSITORY, env=environ, check=False).returncode == 0

    try:
        url = f"https://localhost:{port}/health/live"
        assert any(answers(url, **trusting) for _ in range(60)), "it answers within the time of so many probes"
        assert not answers(url)
        assert not answers(url.replace("https", "http"))
        context = ssl.create_default_context(cafile=secured.tls / "authority.pem")
        with socket.create_connection((HOST, port)) as raw, context.wrap_socket(raw, server_hostname="api") as client:
            assert client.version() in {"TLSv1.2", "TLSv1.3"}
    finally:
        process.terminate()
        process.wait(60)
