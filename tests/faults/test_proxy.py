"""The proxy itself: what it passes on is what came in, and what it breaks is broken."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Proxy

SENT = bytes(range(256)) * 40


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    server.close()


@pytest.fixture
async def proxy(echo: int) -> AsyncIterator[tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    proxy = Proxy(echo, seed=1)
    reader, writer = await asyncio.open_connection("127.0.0.1", await proxy.start())
    yield proxy, reader, writer
    writer.close()
    await proxy.stop()


Connected = tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]


@pytest.mark.parametrize("slicing", [False, True])
async def test_bytes_pass_in_order(proxy: Connected, slicing: bool) -> None:
    it, reader, writer = proxy
    it.slicing = slicing
    writer.write(SENT)
    assert await asyncio.wait_for(reader.readexactly(len(SENT)), 10) == SENT


async def test_a_stall_holds_bytes_back_until_it_ends(proxy: Connected) -> None:
    it, reader, writer = proxy
    it.stall()
    writer.write(b"late")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    it.flow()
    assert await asyncio.wait_for(reader.readexactly(4), 10) == b"late"


async def test_a_cut_ends_the_connection(proxy: Connected) -> None:
    it, reader, writer = proxy
    writer.write(b"x")
    await asyncio.wait_for(reader.readexactly(1), 10)
    it.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 10)
