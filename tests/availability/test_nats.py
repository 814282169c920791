"""Three NATS servers, each stream on all of them: one that is killed takes nothing with it."""

import asyncio
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.embedded.binaries import nats_server
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
from tests.integration.test_recorder import quote

STREAM = "MARKET_DATA"
NODES = ("nats-1", "nats-2", "nats-3")


@dataclass(frozen=True)
class Cluster:
    """Its servers by name."""

    servers: dict[str, Server]

    @property
    def settings(self) -> NatsSettings:
        addresses = ",".join(f"nats://{HOST}:{server.port}" for server in self.servers.values())
        return NatsSettings(url=SecretStr(addresses), replicas=3, store_limit_bytes=64 * 2**20)


def node(name: str, folder: Path, port: int, cluster_port: int, routes: Sequence[int]) -> Server:
    """One server of the cluster."""
    listed = ", ".join(f'"nats://{HOST}:{other}"' for other in routes)
    file = folder / f"{name}.conf"
    file.write_text(
        f"server_name: {name}\nlisten: {HOST}:{port}\nmax_payload: 8MB\n"
        f"jetstream {{ store_dir: {json.dumps(str(folder / name))} }}\n"
        f"cluster {{ name: riskee, listen: {HOST}:{cluster_port}, routes: [{listed}] }}\n"
    )
    return Server(name, folder, (str(nats_server()), "-c", str(file)), port)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    ports = free_ports(6)
    servers = {
        name: node(name, folder, port, route, ports[3:])
        for name, port, route in zip(NODES, ports[:3], ports[3:], strict=True)
    }
    with started(*servers.values()):
        yield Cluster(servers)


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
    bus, reading = await Bus.connect(cluster.settings, "writer"), await Bus.connect(cluster.settings, "reader")
    await eventually(lambda: ready(bus), 30)
    await eventually(lambda: whole(bus), 30)
    accepted: list[uuid.UUID] = []
    heard: list[uuid.UUID] = []

    async def hear(batch: Sequence[Envelope[Quote]]) -> None:
        heard.extend(envelope.message_id for envelope in batch)

    pauses, stopping = Pauses(), asyncio.Event()
    consumption = Consumption(Durable("availability", QUOTE.name), codec_of(QUOTE), hear)
    loop = ConsumerLoop(reading, consumption, health=Health("test"), clock=SystemClock(), stopping=stopping)
    writing, listening = asyncio.create_task(publish(bus, accepted, pauses, stopping)), asyncio.create_task(loop.run())
    await eventually(lambda: len(heard) > 200)
    first = await leader(bus)
    victim = cluster.servers[first if which == "leader" else next(name for name in NODES if name != first)]
    victim.kill()
    before = len(accepted)
    await eventually(lambda: len(accepted) > before + 500, 60)
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
    await reading.close()
    await bus.close()


async def is_stored(bus: Bus, count: int) -> bool:
    """Whether the stream has so many messages: each accepted one once."""
    return (await bus.jetstream.stream_info(STREAM)).state.messages == count
