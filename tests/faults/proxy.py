"""A TCP proxy that misbehaves on request: it cuts connections, stalls them, or slices what it passes on."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field

_CHUNK = 65_536
_SLICES = (1, 3, 64, 500, 1460, 4096)


@dataclass
class Proxy:
    """Passes bytes between a free port and a server's. Every byte arrives in order or its connection ends."""

    target_port: int
    seed: int
    host: str = "127.0.0.1"
    slicing: bool = False
    connections: int = 0
    _server: asyncio.Server | None = None
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _pumps: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> int:
        """Listen, and give the port."""
        self._random = random.Random(self.seed)
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        self.flow()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Break all connections at once, as a pulled cable that resets does. New ones are served."""
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Keep the connections open and pass nothing on, new ones included."""
        self._flowing.clear()

    def flow(self) -> None:
        """End a stall."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            target_reader, target_writer = await asyncio.open_connection(self.host, self.target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, target_writer}
        self._writers |= pair
        try:
            async with asyncio.TaskGroup() as group:
                for source, sink in ((reader, target_writer), (target_reader, writer)):
                    pump = group.create_task(self._pump(source, sink))
                    self._pumps.add(pump)
                    pump.add_done_callback(self._pumps.discard)
        finally:
            self._writers -= pair

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._flowing.wait()
                await (self._slice(data, sink) if self.slicing else self._pass(data, sink))
        sink.close()

    async def _pass(self, data: bytes, sink: asyncio.StreamWriter) -> None:
        sink.write(data)
        await sink.drain()

    async def _slice(self, data: bytes, sink: asyncio.StreamWriter) -> None:
        """Pass on a few bytes at a time, so that the other side reads messages in pieces."""
        start = 0
        while start < len(data):
            end = start + self._random.choice(_SLICES)
            await self._pass(data[start:end], sink)
            await asyncio.sleep(0)
            start = end
