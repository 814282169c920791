"""The client of the documentation, through a relay that breaks connections and holds them up at random."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from docs.examples import stream_client
from docs.examples.stream_client import Follower, RefusedError
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from tests.integration.conftest import TICKERS, eventually
from tests.integration.made_predictions import made, put, sealed

pytestmark = pytest.mark.integration


@dataclass
class Relay:
    """Passes bytes on, until it is told to break or to wait."""

    target: tuple[str, int]
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    breaks: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        away_reader, away_writer = await asyncio.open_connection(*self.target)
        self._writers += [writer, away_writer]
        for source, sink in ((reader, away_writer), (away_reader, writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 14):
                await self.flowing.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    def cut(self) -> None:
        """Break all connections, as a lost network does: with what was under way."""
        self.breaks += bool(self._writers)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def relayed(client: httpx.AsyncClient) -> AsyncIterator[Relay]:
    relay = Relay((client.base_url.host, int(client.base_url.port or 80)))
    relay.flowing.set()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        relay.flowing.set()
        relay.cut()
        server.close()
        await asyncio.gather(*relay._tasks, return_exceptions=True)


@dataclass
class Watched:
    """A follower, and all that it was told."""

    follower: Follower
    messages: list[dict[str, Any]] = field(default_factory=list)

    async def run(self) -> None:
        async for message in self.follower.follow():
            self.messages.append(message)

    def price(self, ticker: str) -> float | None:
        found = self.follower.latest.get(ticker)
        return float(found["prediction"]["price"]) if found else None

    def check(self) -> None:
        """Within a connection, and across a resume, sequences never fall and no update comes twice."""
        sequence = 0
        updates: set[int] = set()
        for message in self.messages:
            if message["type"] == "subscribed" and not message["resumed"]:
                sequence, updates = 0, set()
            assert message["sequence"] >= sequence, message
            sequence = message["sequence"]
            if message["type"] == "prediction" and not message["snapshot"]:
                assert sequence not in updates, "an update came twice"
                updates.add(sequence)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_its_last_numbers_are_the_servers_whatever_happened(
    client: httpx.AsyncClient, cache: Cache, bus: Bus, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_client, "FIRST_PAUSE", 0.02)
    chance = random.Random(seed)
    await put(cache, *(made(ticker, 0.5) for ticker in TICKERS))
    async with relayed(client) as relay:
        some, everything = (
            Watched(Follower(f"ws://127.0.0.1:{relay.port}", tickers)) for tickers in (list(TICKERS[:2]), ["*"])
        )
        tasks = [asyncio.create_task(watched.run()) for watched in (some, everything)]
        await eventually(lambda: all(w.messages and w.messages[-1]["type"] == "complete" for w in (some, everything)))
        last: dict[str, float] = {}
        for price in range(1, 151):
            ticker = chance.choice(TICKERS)
            last[ticker] = float(price)
            await bus.publish(PREDICTION_UPDATED, sealed(made(ticker, float(price))))
            whim = chance.random()
            if whim < 0.06:
                relay.cut()
            elif whim < 0.12:
                relay.flowing.clear()
            elif whim < 0.3:
                relay.flowing.set()
            await asyncio.sleep(chance.random() * 0.02)
        relay.flowing.set()
        for watched, tickers in ((some, TICKERS[:2]), (everything, TICKERS)):
            await eventually(lambda w=watched, t=tickers: all(w.price(each) == last[each] for each in t))  # type: ignore[misc]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert relay.breaks
        assert some.follower.resumes + everything.follower.resumes > 0, "it was no test of a resume"
        for watched in (some, everything):
            watched.check()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 421])
async def test_it_does_not_try_again_where_it_is_refused(status: int) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(HTTPStatus(status), "planted")

    async def never(_: ServerConnection) -> None: ...

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server, asyncio.timeout(10):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InvalidStatus):
            await anext(Follower(f"ws://127.0.0.1:{port}", ["*"]).follow())


@asynccontextmanager
async def refusing(*statuses: HTTPStatus) -> AsyncIterator[tuple[Follower, list[dict[str, Any]]]]:
    """A follower of a server that answers its first requests with errors, and what it was asked."""
    asked: list[dict[str, Any]] = []

    async def answer(socket: ServerConnection) -> None:
        asked.append(json.loads(await socket.recv()))
        said: list[dict[str, Any]] = [{"type": "subscribed", "epoch": "e", "resumed": False, "tickers": ["IBM"]}]
        if len(asked) <= len(statuses):
            problem = {"status": statuses[len(asked) - 1], "detail": "planted", "next_step": "none"}
            said.append({"type": "error", "problem": problem})
        else:
            said.append({"type": "complete"})
        for message in said:
            await socket.send(json.dumps({**message, "sequence": 7}))
        await socket.wait_closed()

    async with serve(answer, "127.0.0.1", 0) as server, asyncio.timeout(20):
        yield Follower(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", ["IBM"]), asked


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS])
async def test_after_an_error_it_asks_again_and_waits_longer_each_time(
    monkeypatch: pytest.MonkeyPatch, status: HTTPStatus
) -> None:
    pauses: list[float] = []

    async def paused(seconds: float) -> None:
        pauses.append(seconds)

    async with refusing(*[status] * 3) as (follower, asked):
        monkeypatch.setattr(stream_client, "asyncio", SimpleNamespace(sleep=paused))
        async for message in follower.follow():
            if message["type"] == "complete":
                break
    assert [request.get("resume") for request in asked] == [None] * 4, "there is nothing to go on from"
    assert pauses == [0.5, 1.0, 2.0]


async def test_what_can_never_be_met_is_told_instead_of_asked_again() -> None:
    async with refusing(HTTPStatus.NOT_FOUND) as (follower, asked):
        with pytest.raises(RefusedError, match="planted: none"):
            async for _ in follower.follow():
                pass
    assert len(asked) == 1
