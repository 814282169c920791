"""What is saved of NATS: each stream as JetStream's own snapshot, with sequences, times, message ids and consumers.

Messages read and published again would lose all of these: consumers would begin anew, and what was taken once would
come twice. The snapshot is the server's own packed form, and the server checks it when it takes it back.
"""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from riskee.backup.sealing import Write
from riskee.errors import FatalError, RetryableError
from riskee.settings import NatsSettings
from riskee.storage.bus import Bus

_SECONDS = 30.0
# Below the largest message that a server takes by default (1 MB).
_CHUNK = 512 * 1024
_API = "$JS.API.STREAM"
_COMPLETE = "204"


@dataclass(frozen=True)
class Snapshot:
    """What a restore needs besides the chunks: the stream's configuration and state, as the server gave them."""

    config: dict[str, Any]
    state: dict[str, Any]

    @property
    def messages(self) -> int:
        """How many messages are in it."""
        return int(self.state["messages"])


@dataclass(frozen=True)
class StreamServer:
    """The server of the settings."""

    client: Client

    async def names(self) -> list[str]:
        """The streams that there are."""
        names: list[str] = []
        while True:
            answer = await self._request(f"{_API}.NAMES", {"offset": len(names)})
            found = answer.get("streams") or []
            names += found
            if not found or len(names) >= int(answer["total"]):
                return names

    async def save(self, stream: str, write: Write) -> Snapshot:
        """Write a stream's snapshot. Raises RetryableError where the server breaks it off."""
        inbox = self.client.new_inbox()
        chunks = await self.client.subscribe(inbox)
        try:
            wanted = {"deliver_subject": inbox, "no_consumers": False, "chunk_size": _CHUNK, "jsck": True}
            answer = await self._request(f"{_API}.SNAPSHOT.{stream}", wanted)
            await self._receive(stream, chunks, write)
        finally:
            await chunks.unsubscribe()
        return Snapshot(answer["config"], answer["state"])

    async def _receive(self, stream: str, chunks: Any, write: Write) -> None:
        while True:
            try:
                message: Msg = await chunks.next_msg(timeout=_SECONDS)
            except nats.errors.TimeoutError as error:
                raise RetryableError(f"NATS broke off the snapshot of {stream}", "try again") from error
            if not message.data:
                status = (message.headers or {}).get("Status", _COMPLETE)
                if status != _COMPLETE:
                    raise RetryableError(f"NATS broke off the snapshot of {stream}: {message.headers}", "try again")
                return
            write(message.data)
            if message.reply:  # the server waits once too much of what it sent is not acknowledged
                await self.client.publish(message.reply, b"")

    async def load(self, stream: str, snapshot: Snapshot, blocks: Iterable[bytes]) -> int:
        """Make a stream from its snapshot; returns its messages. Raises FatalError where it exists, or is refused."""
        wanted = {"config": snapshot.config, "state": snapshot.state}
        answer = await self._request(f"{_API}.RESTORE.{stream}", wanted)
        subject = str(answer["deliver_subject"])
        for block in blocks:
            for start in range(0, len(block), _CHUNK):
                said = await self._send(subject, block[start : start + _CHUNK])
                if said and b"error" in said:
                    _require(json.loads(said), stream)
        made = _require(json.loads(await self._send(subject, b"")), stream)
        return int(made["state"]["messages"])

    async def _send(self, subject: str, data: bytes) -> bytes:
        try:
            return (await self.client.request(subject, data, timeout=_SECONDS)).data
        except (nats.errors.Error, TimeoutError) as error:
            raise RetryableError(f"NATS does not answer: {error}", "check that it runs (`riskee doctor`)") from error

    async def _request(self, subject: str, body: dict[str, Any]) -> dict[str, Any]:
        return _require(json.loads(await self._send(subject, json.dumps(body).encode())), subject)


@asynccontextmanager
async def stream_server(settings: NatsSettings) -> AsyncIterator[StreamServer]:
    """A connection for the time of a block."""
    bus = await Bus.connect(settings, "backup", timeout=10)
    try:
        yield StreamServer(bus.client)
    finally:
        await bus.close()


def _require(answer: dict[str, Any], about: str) -> dict[str, Any]:
    error = answer.get("error")
    if error:
        raise FatalError(
            f"NATS refuses {about}: {error.get('description')} ({error.get('err_code')})",
            "the user needs JetStream's API; a stream that exists must be removed before it is restored",
        )
    return answer
