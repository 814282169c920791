"""Three NATS servers, each stream on all of them: one that is killed takes nothing with it.

They are started as infra/kubernetes/servers/nats.yaml says, and everybody is a user of infra/nats/nats.conf.
"""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.deployment.secrets import write_secrets
from infra.embedded.binaries import nats_server
from infra.embedded.readiness import NotReadyError, http_get
from riskee.clock import SystemClock
from riskee.errors import RetryableError
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.settings import NatsSettings
from riskee.storage.bus import Bus, codec_of
from riskee.storage.inbox import Durable
from serving.consumers.consumption import Consumption
from serving.consumers.loop import ConsumerLoop
from serving.health import Health
from tests.availability.measuring import MEASURED, Pauses, Takeover
from tests.availability.servers import HOST, Server, free_ports, started
from tests.integration.conftest import eventually
from tests.integration.deployment.servers import configured_nats
from tests.integration.test_recorder import quote
from tests.unit.deployment.test_kubernetes import container

STREAM = "MARKET_DATA"
NODES = ("nats-0", "nats-1", "nats-2")
READINESS, LIVENESS = (container("nats")[f"{kind}Probe"]["httpGet"]["path"] for kind in ("readiness", "liveness"))


@dataclass(frozen=True)
class Ports:
    """Where one server is reached: by clients, by the others, by its probes."""

    client: int
    route: int
    monitor: int


@dataclass(frozen=True)
class Cluster:
    """Its servers by name."""

    servers: dict[str, Server]
    monitors: dict[str, int]
    secrets: Path

    def settings(self, user: str, *names: str) -> NatsSettings:
        """As a service is told, with the addresses of these servers; of all where none is named."""
        password = (self.secrets / f"nats_{user}").read_text()
        addresses = [f"nats://{user}:{password}@{HOST}:{self.servers[name].port}" for name in names or NODES]
        return NatsSettings(url=SecretStr(",".join(addresses)), replicas=3, store_limit_bytes=64 * 2**20)

    def healthy(self, path: str) -> bool:
        """What the pods' probes would find."""
        try:
            for monitor in self.monitors.values():
                http_get(monitor, path)()
        except NotReadyError:
            return False
        return True


def node(name: str, folder: Path, file: Path, ports: dict[str, Ports]) -> Server:
    """One server of the cluster: the configuration, users and arguments of infra/kubernetes, other addresses."""
    own = ports[name]
    replaced = {
        "$(POD_NAME)": name,
        "/etc/nats/nats.conf": str(file),
        "/data": str(folder / name),
        "0.0.0.0:6222": f"{HOST}:{own.route}",
        **{f"{other}.nats-headless:6222": f"{HOST}:{each.route}" for other, each in ports.items()},
    }
    arguments = "\n".join(container("nats")["args"])
    for old, new in replaced.items():
        assert old in arguments
        arguments = arguments.replace(old, new)
    here = ("-a", HOST, "-p", str(own.client), "-m", str(own.monitor))
    return Server(name, folder, (str(nats_server()), *arguments.split("\n"), *here), own.client)


def laid_out(folder: Path) -> tuple[dict[str, Ports], Path]:
    """Ports for the nodes, and the folder of the secrets that were made for them."""
    numbers = free_ports(9)
    ports = {name: Ports(*numbers[3 * i : 3 * i + 3]) for i, name in enumerate(NODES)}
    secrets = folder / "run" / "secrets"
    secrets.parent.mkdir()
    write_secrets(secrets)
    return ports, secrets


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    ports, secrets = laid_out(folder)
    file = configured_nats(folder)
    servers = {name: node(name, folder, file, ports) for name in NODES}
    with started(*servers.values()):
        yield Cluster(servers, {name: each.monitor for name, each in ports.items()}, secrets)


async def ready(bus: Bus) -> bool:
    """Whether the cluster has elected a leader, and every stream is there."""
    try:
        await bus.ensure_streams()
    except RetryableError:
        return False
    return True


async def leader(bus: Bus) -> str:
    cluster = (await bus.jetstream.stream_info(STREAM)).cluster
    assert cluster is not None
    assert cluster.leader is not None
    return cluster.leader


async def whole(bus: Bus) -> bool:
    """Whether all copies of the stream are up to date."""
    cluster = (await bus.jetstream.stream_info(STREAM)).cluster
    assert cluster is not None
    replicas = cluster.replicas or []
    return len(replicas) == 2 and all(peer.current and not peer.offline for peer in replicas)


async def publish(bus: Bus, accepted: list[uuid.UUID], pauses: Pauses, stopping: asyncio.Event) -> None:
    """Some hundred quotes a second, each again until it is accepted."""
    number = 0
    while not stopping.is_set():
        batch = [quote(number + i) for i in range(10)]
        while True:
            try:
                await bus.publish(QUOTE, *batch)
                break
            except RetryableError:
                pauses.failed += 1
                await asyncio.sleep(0.05)
        pauses.succeeded()
        accepted += [envelope.message_id for envelope in batch]
        number += len(batch)
        await asyncio.sleep(0.03)


@pytest.mark.parametrize("which", ["leader", "follower"])
async def test_a_killed_node_takes_nothing_with_it(cluster: Cluster, which: str) -> None:
    making = await Bus.connect(cluster.settings("migrate"), "migrate")
    await eventually(lambda: ready(making), 60)
    await eventually(lambda: whole(making), 30)
    await eventually(lambda: cluster.healthy(READINESS) and cluster.healthy(LIVENESS), 30)
    first = await leader(making)
    killed = first if which == "leader" else next(name for name in NODES if name != first)
    victim = cluster.servers[killed]
    bus = await Bus.connect(cluster.settings("ingest"), "ingest")
    # It hears of the others from the one that will be gone.
    reading = await Bus.connect(cluster.settings("record", killed), "record")
    accepted: list[uuid.UUID] = []
    heard: list[uuid.UUID] = []

    async def hear(batch: Sequence[Envelope[Quote]]) -> None:
        heard.extend(envelope.message_id for envelope in batch)

    pauses, stopping = Pauses(), asyncio.Event()
    consumption = Consumption(Durable("record-quotes", QUOTE.name), codec_of(QUOTE), hear)
    loop = ConsumerLoop(reading, consumption, health=Health("test"), clock=SystemClock(), stopping=stopping)
    writing, listening = asyncio.create_task(publish(bus, accepted, pauses, stopping)), asyncio.create_task(loop.run())
    await eventually(lambda: len(heard) > 200)
    victim.kill()
    before = len(accepted)
    await eventually(lambda: len(accepted) > before + 500, 60)
    since = set(accepted[before:])
    await eventually(lambda: since <= set(heard), 60)
    victim.start()
    await eventually(lambda: whole(bus), 60)
    before = len(accepted)
    await eventually(lambda: len(accepted) > before + 100, 60)
    assert not writing.done()
    await eventually(lambda: set(accepted) <= set(heard), 60)
    stopping.set()
    await asyncio.gather(writing, listening)
    await eventually(lambda: is_stored(bus, len(accepted)))
    lost = len(set(accepted) - set(heard))
    MEASURED.append(Takeover(f"NATS, killed {which}", len(accepted), lost, pauses.failed, pauses.longest))
    assert lost == 0
    refused = [name for name, server in cluster.servers.items() if "authentication error" in server.log.read_text()]
    assert refused == [], "each server knows whoever is connected again"
    for connection in (making, bus, reading):
        await connection.close()


async def is_stored(bus: Bus, count: int) -> bool:
    """Whether the stream has so many messages: each accepted one once."""
    return (await bus.jetstream.stream_info(STREAM)).state.messages == count
