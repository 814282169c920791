"""Redis and its Sentinels by infra/kubernetes/tls, where a Redis with TLS is installed, as Debian's redis-server is."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from riskee.errors import RetryableError
from riskee.settings import RedisSettings
from riskee.storage.cache import Cache
from tests.availability import watched_redis
from tests.availability.servers import HOST, Server, free_ports, started
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.deployment.test_kubernetes_nats import certified

pytestmark = pytest.mark.integration
# A busy machine takes nobody for dead.
PATIENCE = watched_redis.Patience(5000, 10.0)
MANIFEST = REPOSITORY / "infra" / "kubernetes" / "tls" / "servers" / "redis.yaml"


def speaks_tls() -> bool:
    """Whether the Redis of this machine was built with TLS: only then its client knows the option."""
    client = shutil.which("redis-cli")
    if client is None or shutil.which("redis-server") is None:
        return False
    return "--cacert" in subprocess.run([client, "--help"], capture_output=True, text=True, check=False).stdout


def secured(server: Server, kind: str, tls: Path) -> Server:
    """A server with the arguments and variables that TLS adds in the cluster; Redis itself in place of Valkey."""
    (found,) = [each for each in yaml.safe_load_all(MANIFEST.read_text()) if each["metadata"]["name"] == kind]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    ports = {"6379": str(server.port), "26379": str(server.port)}
    arguments = [ports.get(each, each).replace("/run/tls", str(tls)) for each in container["args"]]
    told = {each["name"]: each["value"].replace("/run/tls", str(tls)) for each in container.get("env", ())}
    environ = (server.environ or {}) | told | {"PATH": os.environ["PATH"]}
    return replace(server, command=(*server.command, *arguments), environ=environ, probe=None)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, ...]]:
    """The master, its replica and three Sentinels."""
    ports = free_ports(5)
    watched_redis._prepare(tmp_path, ports[0], PATIENCE)
    for name in ("redis_users.acl", "redis_sentinels.acl"):  # what Redis 7.0 does not know yet, and nobody needs
        users = tmp_path / "secrets" / name
        text = users.read_text().replace(" +client|setinfo", "")
        users.unlink()
        users.write_text(text)
    tls = certified(tmp_path)
    names = ("redis-0", "redis-1")
    redis = [
        watched_redis.redis_server(tmp_path, name, port, ports[0], ports[2])
        for name, port in zip(names, ports[:2], strict=True)
    ]
    watching = [watched_redis._sentinel(tmp_path, f"sentinel-{i}", port) for i, port in enumerate(ports[2:])]
    every = [
        *(secured(each, "redis", tls) for each in redis),
        *(secured(each, "redis-sentinel", tls) for each in watching),
    ]
    with started(*every):
        yield tuple(every)


def settings(servers: tuple[Server, ...], scheme: str = "rediss") -> RedisSettings:
    folder = servers[0].folder
    secret = {user: (folder / "secrets" / f"redis_{user}").read_text() for user in ("api", "finder")}
    return RedisSettings(
        url=SecretStr(f"{scheme}://api:{secret['api']}@{watched_redis.MASTER}/0"),
        authority=folder / "tls" / "ca.crt",
        sentinels=tuple(f"{HOST}:{each.port}" for each in servers[2:]),
        sentinel_user="finder",
        timeout_seconds=PATIENCE.timeout_seconds,
        sentinel_password=SecretStr(secret["finder"]),
    )


async def answers(told: RedisSettings) -> bool:
    cache = Cache.connect(told)
    try:
        await cache.ping()
    except RetryableError:
        return False
    finally:
        await cache.close()
    return True


@pytest.mark.skipif(not speaks_tls(), reason="no Redis with TLS is installed: Debian's redis-server is one")
async def test_the_services_follow_the_master_over_tls(servers: tuple[Server, ...]) -> None:
    first, second, *sentinels = servers
    told = settings(servers)
    await eventually(lambda: answers(told), seconds=60)
    assert not await answers(settings(servers, "redis")), "nobody listens without"
    # Each Sentinel has heard of the replica and of the two others, so that they can decide.
    await eventually(lambda: all("+slave " in each.log.read_text() for each in sentinels), seconds=60)
    await eventually(lambda: all(each.log.read_text().count("+sentinel ") >= 2 for each in sentinels), seconds=60)
    first.kill()
    await eventually(lambda: "MASTER MODE enabled" in second.log.read_text(), seconds=120)
    await eventually(lambda: answers(told), seconds=60)
    first.start()
    await eventually(lambda: "MASTER <-> REPLICA sync: Finished" in first.log.read_text(), seconds=60)
