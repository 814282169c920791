"""What `riskee watch` hears across a broken network and an API that starts again, from the API as it really runs."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from riskee.cli.stream import Follower
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.settings import ApiSettings, Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from tests.integration.conftest import eventually, serving
from tests.integration.made_predictions import made, put, sealed
from tests.integration.stream_clients import ask, streaming, until
from tests.integration.test_stream_client import Relay, relayed

pytestmark = pytest.mark.integration


class LeftError(Exception):
    """Nobody watches any more."""


class Watching:
    """A follower in a thread, which connects again when it may."""

    def __init__(self, port: int) -> None:
        self.told: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.over = False
        self.may_connect = threading.Event()
        settings = Settings(api=ApiSettings(port=port))
        self._follower = Follower(settings, ["AAPL", "IBM"], self.told.append, self._pause)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _pause(self, _seconds: float) -> None:
        self.may_connect.wait()
        if self.over:
            raise LeftError
        self.may_connect.clear()

    def _run(self) -> None:
        try:
            for message in self._follower.messages():
                self.messages.append(message)
        except LeftError:
            return

    def prices(self) -> list[float]:
        found = [message["prediction"] for message in self.messages if message["type"] == "prediction"]
        return [each["price"] for each in found]

    def complete(self) -> bool:
        return bool(self.messages) and self.messages[-1]["type"] == "complete"


@asynccontextmanager
async def watching(relay: Relay) -> AsyncIterator[Watching]:
    one = Watching(relay.port)
    try:
        await eventually(one.complete)
        yield one
    finally:
        one.over = True
        one.may_connect.set()
        relay.cut()
        await asyncio.to_thread(one.thread.join, 20)


async def test_what_came_while_the_network_was_broken_is_heard_and_nothing_twice(
    client: httpx.AsyncClient, cache: Cache, bus: Bus
) -> None:
    await put(cache, made("AAPL", 1.0), made("IBM", 2.0))
    async with relayed(client) as relay, watching(relay) as one, streaming(client) as witness:
        assert sorted(one.prices()) == [1.0, 2.0]
        await ask(witness, "*")
        await until(witness, "complete")
        relay.cut()
        await eventually(lambda: one.told)
        for price, ticker in ((3.0, "AAPL"), (4.0, "IBM"), (5.0, "AAPL")):
            await bus.publish(PREDICTION_UPDATED, sealed(made(ticker, price)))
            await until(witness, "prediction")
        one.may_connect.set()
        await eventually(lambda: one.prices()[2:] == [4.0, 5.0])
    assert one.told[1] == "connected again; nothing was lost"


async def test_an_api_that_starts_again_tells_what_came_meanwhile(
    client: httpx.AsyncClient, cache: Cache, known: Settings
) -> None:
    await put(cache, made("AAPL", 1.0), made("IBM", 2.0))
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(relayed(client))
        async with serving(known) as first:
            relay.target = (first.base_url.host, int(first.base_url.port or 0))
            one = await stack.enter_async_context(watching(relay))
        await eventually(lambda: one.told)
        assert "1012" in one.told[0]
        await put(cache, made("AAPL", 3.0), made("IBM", 4.0))
        relay.target = (client.base_url.host, int(client.base_url.port or 0))
        one.may_connect.set()
        await eventually(lambda: sorted(one.prices()[2:]) == [3.0, 4.0])
    assert one.told[1] == "connected again; from the latest numbers on"
