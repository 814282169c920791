"""nats-py's client, without work on each message that nobody needs here, and silent to a server that hides its TLS."""

import asyncio
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from nats.aio.client import Client
from nats.errors import Error
from nats.js.api import Header

MESSAGE_ID = Header.MSG_ID.value
# A message's headers where its id is the first of them, and as we publish the only one.
_OWN_HEADERS = f"NATS/1.0\r\n{MESSAGE_ID}: ".encode()


def identity(address: str) -> dict[str, Any]:
    """Who an address says is connecting, as options of nats-py; nothing where it names no user with a password."""
    parts = urlsplit(address)
    if parts.username is None or parts.password is None:
        return {}
    return {"user": unquote(parts.username), "password": unquote(parts.password)}


class LightClient(Client):
    """Leaves the id unread that a stored message was published with: parsing it costs 3 us of a message's 18.

    Where the id comes first, all headers of the message are left unread: as we publish it is the only one.
    Overrides a method that is not public. A version of nats-py that does not call it reads the id again, and that is
    all (docs/adr/0135).
    """

    _resting: asyncio.Task[None] | None = None

    async def connect(self, *servers: Any, **options: Any) -> None:
        """As nats-py's. The user of the first address is that of all servers: a cluster tells of its others without."""
        (addresses,) = servers
        await super().connect(addresses, **identity(addresses[0]), **options)

    async def rest(self, seconds: float) -> None:
        """Leave what arrives to the kernel for so long, to be read together: a process that is woken for each message
        spends more on waking than on the message. Whoever calls meanwhile waits for the end of the same rest, so that
        none follows the other without a pause for reading.

        Without effect on a connection that is read too slowly already, and of a version of nats-py that keeps its
        connection elsewhere: then it is a sleep (docs/adr/0176).
        """
        if self._resting is None:
            self._resting = asyncio.create_task(self._rest(seconds))
        await asyncio.shield(self._resting)

    async def _rest(self, seconds: float) -> None:
        reading = self._reading()
        try:
            if reading:
                reading.pause_reading()
            await asyncio.sleep(seconds)
        finally:
            self._resting = None
            if reading:
                reading.resume_reading()

    def _reading(self) -> asyncio.Transport | None:
        """The connection, where it is read from at the moment. The loop's own kind has no base class of asyncio's."""
        writer: asyncio.StreamWriter | None = getattr(self._transport, "_io_writer", None)
        transport = cast("asyncio.Transport | None", writer and writer.transport)
        return transport if transport and transport.is_reading() else None

    def _connect_command(self) -> bytes:
        """What the client says first, with its password. Not to a server without TLS where the address is `tls://`:
        nats-py asks only what the server says, which whoever is between the two can change."""
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise Error("nats: the address asks for TLS, and the server offers none")
        command: bytes = super()._connect_command()
        return command

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        if headers is not None and headers.startswith(_OWN_HEADERS):
            return None
        found: dict[str, str] | None = await super()._process_headers(headers)
        return found
