"""A Redis, its replica and Sentinels, started by the files of infra/redis with the users that are in them.

Valkey stands for Redis. Only the addresses are others than in infra/kubernetes: each is a port of the loopback.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis

from infra.deployment.secrets import write_secrets
from infra.embedded.binaries import valkey_server
from infra.embedded.readiness import valkey
from riskee.settings import RedisSettings
from tests.availability.servers import HOST, Server, free_ports, started
from tests.conftest import REPOSITORY

FILES = REPOSITORY / "infra" / "redis"
MASTER = "riskee-redis"
# So that a test of a takeover need not wait as long as a cluster should.
FAILOVER_MS = 5000
# The scripts ask with Redis' own client, which Valkey's wheel has not: as much of it as they use.
_CLIENT = f"""#!{sys.executable}
import argparse, os, sys
import redis, redis.backoff, redis.retry
parser = argparse.ArgumentParser(add_help=False)
for name in ("-h", "-p", "--user"):
    parser.add_argument(name, required=True)
parser.add_argument("--raw", action="store_true")
parser.add_argument("words", nargs="+")
given = vars(parser.parse_args())
once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
user, password = given["user"], os.environ["REDISCLI_AUTH"]
client = redis.Redis(given["h"], int(given["p"]), username=user, password=password, retry=once)
client.response_callbacks.clear()
try:
    found = client.execute_command(*given["words"])
except redis.ConnectionError as error:
    sys.exit(str(error))
print("\\n".join(part.decode() for part in found or [b""]))
"""


# Python takes longer to start than that client: on a busy machine longer than the scripts wait for it.
_TIMEOUT = f"""#!/bin/sh
shift
exec {shutil.which("timeout")} 60 "$@"
"""


@dataclass(frozen=True)
class Patience:
    """After what silence Sentinels call the master gone, and how long who asks waits for an answer."""

    down_after_ms: int
    timeout_seconds: float


@dataclass(frozen=True)
class Watched:
    """The first is the master until it dies; who watches them."""

    folder: Path
    patience: Patience
    first: Server
    second: Server
    sentinels: tuple[Server, ...]

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text()

    def settings(self, user: str) -> RedisSettings:
        """As a service is told: the master's name, and whom to ask for it."""
        return RedisSettings(
            url=SecretStr(f"redis://{user}:{self.secret(f'redis_{user}')}@{MASTER}/0"),
            sentinels=tuple(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels),
            sentinel_user="finder",
            sentinel_password=SecretStr(self.secret("redis_finder")),
            timeout_seconds=self.patience.timeout_seconds,
        )

    def client(self, server: Server, user: str) -> Redis:
        """One of the servers itself."""
        password = self.secret(f"redis_{user}")
        return Redis(host=HOST, port=server.port, username=user, password=password, decode_responses=True)

    async def role(self, server: Server) -> Sequence[Any]:
        async with self.client(server, "sentinel") as client:
            found: Sequence[Any] = await client.role()
        return found

    async def agreed(self) -> bool:
        """Whether each Sentinel knows the replica and the others."""
        for sentinel in self.sentinels:
            async with self.client(sentinel, "finder") as client:
                masters: Any = await client.sentinel_masters()
            told = masters[MASTER]
            if (told["num-slaves"], told["num-other-sentinels"]) != (1, len(self.sentinels) - 1):
                return False
        return True

    def start_again(self, server: Server) -> None:
        """As in a cluster, where nothing that a Sentinel writes into its configuration is kept."""
        _configure(self.folder, server.name)
        server.start()


@contextmanager
def watched_redis(folder: Path, patience: Patience, sentinels: int = 3) -> Iterator[Watched]:
    """All of them, ready; ended when the context is left."""
    ports = free_ports(2 + sentinels)
    _prepare(folder, ports[0], patience)
    servers = [redis_server(folder, f"redis-{i}", port, ports[0], ports[2]) for i, port in enumerate(ports[:2])]
    watching = tuple(_sentinel(folder, f"sentinel-{i}", port) for i, port in enumerate(ports[2:]))
    with started(*servers, *watching):
        yield Watched(folder, patience, servers[0], servers[1], watching)


def redis_server(folder: Path, name: str, port: int, first: int, sentinel: int) -> Server:
    """A Redis as the cluster starts it: `first` is the port of the one that is the master in the beginning."""
    _configure(folder, name)
    environ = _environment(folder, name, port) | {
        "FIRST": f"{HOST} {first}",
        "SENTINEL": f"{HOST} {sentinel}",
        "CONFIG": str(folder / name),
    }
    users = str(folder / "secrets" / "redis_users.acl")
    command = ("sh", str(FILES / "server.sh"), "--bind", HOST, "--aclfile", users)
    password = (folder / "secrets" / "redis_health").read_text()
    probe = valkey(f"redis://health:{password}@{HOST}:{port}/0")
    return Server(name, folder, command, port, environ=environ, probe=probe)


def _sentinel(folder: Path, name: str, port: int) -> Server:
    (folder / name).mkdir()
    command = ("sh", str(FILES / "sentinel.sh"), "--bind", HOST)
    return Server(name, folder, command, port, environ=_environment(folder, name, port))


def _prepare(folder: Path, first: int, patience: Patience) -> None:
    """Secrets, with the addresses and paths of this machine in what Sentinels read; programs by Redis' names."""
    secrets = folder / "secrets"
    write_secrets(secrets)
    file = secrets / "redis_sentinel.conf"
    text = file.read_text()
    for old, new in {
        "redis-0.redis 6379": f"{HOST} {first}",
        "/run/secrets": str(secrets),
        f"down-after-milliseconds {MASTER} 5000": f"down-after-milliseconds {MASTER} {patience.down_after_ms}",
        f"failover-timeout {MASTER} 30000": f"failover-timeout {MASTER} {FAILOVER_MS}",
    }.items():
        assert old in text
        text = text.replace(old, new)
    file.unlink()
    file.write_text(text)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "redis-server").symlink_to(valkey_server())
    for name, script in (("redis-cli", _CLIENT), ("timeout", _TIMEOUT)):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)


def _configure(folder: Path, name: str) -> None:
    (folder / name).mkdir(exist_ok=True)
    shutil.copy(FILES / "redis.conf", folder / name)


def _environment(folder: Path, name: str, port: int) -> dict[str, str]:
    told = {"ADDRESS": HOST, "PORT": str(port), "SECRETS": str(folder / "secrets"), "DATA": str(folder / name)}
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"} | told
