"""What is saved of Redis: its whole content at one moment, as a replica gets it (an RDB file).

The cache can be lost at any moment; with it, a restored stack answers at once instead of after its first predictions.
"""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.connection import parse_url
from redis.exceptions import RedisError

from riskee.backup.sealing import Write
from riskee.errors import FatalError, RetryableError
from riskee.settings import RedisSettings
from riskee.storage.sentinels import located
from riskee.storage.trust import redis_trust, trusting

_SECONDS = 60.0
_ASKING_SECONDS = 5.0
_BLOCK = 1 << 20

# Valkey 9 writes a magic of its own where a file has what Redis does not know.
_MAGICS = (b"REDIS", b"VALKEY")


@dataclass(frozen=True)
class RedisServer:
    """The server of the settings: with Sentinels the one that they call the master."""

    settings: RedisSettings

    def facts(self) -> tuple[dict[str, str], dict[str, int]]:
        """Version and kind of the server; keys in it."""
        try:
            with self._client() as client:
                info: dict[str, Any] = dict(client.info())
                keys = sum(int(one["keys"]) for name, one in info.items() if name.startswith("db"))
        except RedisError as error:
            raise _away(error) from error
        kind = str(info.get("server_name", "redis"))
        return {"version": f"{kind} {info.get(f'{kind}_version', info['redis_version'])}"}, {"keys": keys}

    def rdb(self, write: Write) -> None:
        """Ask for the content as a replica does, and write it. Raises RetryableError and FatalError."""
        try:
            with self._connect() as link, link.makefile("rb") as answers:
                # Without it the server would go on sending what is written from now on.
                _ask(link, answers, b"REPLCONF", b"rdb-only", b"1")
                link.sendall(_command(b"SYNC"))
                self._copy(answers, write)
        except OSError as error:
            raise _away(error) from error

    def _client(self) -> Redis:
        there = located(self.settings, _ASKING_SECONDS)
        return Redis.from_url(there.url.get_secret_value(), socket_timeout=_SECONDS, **redis_trust(there))

    def _connect(self) -> socket.socket:
        url = located(self.settings, _ASKING_SECONDS).url.get_secret_value()
        options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        address = options.get("host", "localhost"), int(options.get("port", 6379))
        link = socket.create_connection(address, timeout=_SECONDS)
        if url.startswith("rediss:"):
            context = trusting(self.settings.authority) or ssl.create_default_context()
            link = context.wrap_socket(link, server_hostname=address[0])
        if options.get("password"):
            named = [str(options["username"]).encode()] if options.get("username") else []
            with link.makefile("rb") as answers:
                _ask(link, answers, b"AUTH", *named, str(options["password"]).encode())
        return link

    def _copy(self, answers: Any, write: Write) -> None:
        line = answers.readline()
        while line == b"\n":  # while the server saves it tells that it lives
            line = answers.readline()
        if not line.startswith(b"$") or not line[1:].strip().isdigit():
            raise FatalError(
                f"Redis does not give a copy of itself: {line.decode(errors='replace').strip()}",
                "the user needs +sync and +replconf; managed servers have snapshots of their own: "
                "leave it out with `--only postgres,nats,vectors,files`",
            )
        left, first = int(line[1:]), True
        while left:
            block = answers.read(min(left, _BLOCK))
            if not block or (first and not block.startswith(_MAGICS)):
                raise RetryableError("Redis broke off its copy", "try again")
            write(block)
            left, first = left - len(block), False


def place_rdb(blocks: Any, folder: Path) -> None:
    """Make a copy the content of a stopped server's folder whose configuration says `appendonly yes`.

    Such a server reads no dump.rdb, but the base of its append-only files may be one.
    """
    files = folder / "appendonlydir"
    files.mkdir(parents=True, mode=0o700)
    with (files / "appendonly.aof.1.base.rdb").open("wb") as file:
        for block in blocks:
            file.write(block)
    (files / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _ask(link: socket.socket, answers: Any, *words: bytes) -> None:
    link.sendall(_command(*words))
    answer = answers.readline().decode(errors="replace").strip()
    if not answer.startswith("+OK"):
        raise FatalError(f"Redis refuses {words[0].decode()}: {answer}", "mend RISKEE_REDIS__URL, or the user's rights")


def _away(error: Exception) -> RetryableError:
    return RetryableError(f"Redis does not answer: {error}", "check that it runs (`riskee doctor`)")
