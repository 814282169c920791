"""NATS by infra/kubernetes/tls: TLS for clients and between servers; and readers that share, as nats.conf lets them."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from riskee.certificates import make_certificates
from riskee.messaging.subjects import QUOTE
from riskee.settings import NatsSettings
from riskee.storage.bus import Bus
from riskee.storage.inbox import Inbox
from serving.consumers.record import consumptions
from tests.availability.servers import HOST, Server, started
from tests.availability.test_nats import NODES, Ports, laid_out, node, ready
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.deployment.servers import configured_nats
from tests.integration.test_recorder import quote

pytestmark = pytest.mark.integration
CONFIGURATION = REPOSITORY / "infra" / "kubernetes" / "tls" / "servers" / "tls.conf"


@dataclass(frozen=True)
class Cluster:
    """Three servers; what a service is told of them."""

    ports: dict[str, Ports]
    folder: Path

    def settings(self, user: str, *names: str) -> NatsSettings:
        """As a service is told, with the addresses of these servers; of all where none is named."""
        password = (self.folder / "run" / "secrets" / f"nats_{user}").read_text()
        url = ",".join(f"tls://{user}:{password}@{HOST}:{self.ports[name].client}" for name in names or NODES)
        authority = self.folder / "tls" / "ca.crt"
        return NatsSettings(url=SecretStr(url), authority=authority, replicas=3, store_limit_bytes=64 * 2**20)


def certified(folder: Path) -> Path:
    """The files of a secret that cert-manager makes."""
    tls = folder / "tls"
    make_certificates(tls, datetime.now(UTC), ["nats"])
    for made, name in (("authority.pem", "ca.crt"), ("nats.pem", "tls.crt"), ("nats.key", "tls.key")):
        (tls / made).rename(tls / name)
    return tls


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """By the StatefulSet's arguments, with the other file."""
    ports, _ = laid_out(tmp_path)
    tls = certified(tmp_path)
    file = configured_nats(tmp_path).with_name("tls.conf")
    file.write_text(CONFIGURATION.read_text().replace("/run/tls", str(tls)))
    servers: list[Server] = [node(name, tmp_path, file, ports) for name in NODES]
    with started(*servers):
        yield Cluster(ports, tmp_path)


def greeting(port: int) -> dict[str, Any]:
    """What a server says first to whoever comes."""
    with socket.create_connection((HOST, port), timeout=10) as connection, connection.makefile("rb") as said:
        return dict(json.loads(said.readline().removeprefix(b"INFO ")))


def welcome(port: int, tls: Path, *, certified: bool) -> bytes:
    """What a server says to one that comes as another server; nothing where it sends it away."""
    context = ssl.create_default_context(cafile=tls / "ca.crt")
    if certified:
        context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
    with socket.create_connection((HOST, port), timeout=30) as connection:
        try:
            with context.wrap_socket(connection, server_hostname="nats") as secured:
                return secured.recv(5)
        except (ssl.SSLError, ConnectionError):
            return b""


async def test_every_link_is_encrypted_and_readers_share(cluster: Cluster) -> None:
    for each in cluster.ports.values():
        assert greeting(each.client)["tls_required"] is True
        said = [welcome(each.route, cluster.folder / "tls", certified=certified) for certified in (True, False)]
        assert said == [b"INFO ", b""], "whoever has no certificate is no server"
    migrate = await Bus.connect(cluster.settings("migrate"), "migrate", timeout=10)
    await eventually(lambda: ready(migrate), seconds=120)  # so they found each other
    durable = consumptions(None, None, shared=True)[0].durable  # type: ignore[arg-type]
    # At one server: of readers at several NATS may prefer those at its own.
    connected = [await Bus.connect(cluster.settings("record", NODES[0]), "record", timeout=10) for _ in range(2)]
    readers = [Inbox(bus, durable) for bus in connected]
    for reader in readers:
        await reader.open()
    ingest = await Bus.connect(cluster.settings("ingest"), "ingest", timeout=10)
    await ingest.publish(QUOTE, *(quote(n) for n in range(100)))
    taken = await asyncio.gather(*(asyncio.wait_for(reader.take(100, 1.0), 60) for reader in readers))
    assert all(taken), "each has some"
    for bus in (migrate, *connected, ingest):
        await bus.close()
