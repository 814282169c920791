"""How an inbox lets messages gather, without a server."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from nats.aio.msg import Msg

from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import Bus
from riskee.storage.inbox import Durable, Inbox

DURABLE = Durable("reader", QUOTE.name)


class Connection:
    """What has been sent arrives when it has rested."""

    def __init__(self) -> None:
        self.inbox = Inbox(cast("Bus", SimpleNamespace(connected=True, client=self)), DURABLE)
        self.rests: list[float] = []
        self.sent: list[Msg] = []

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        await self.arrive(*self.sent)

    async def arrive(self, *messages: Msg) -> None:
        for message in messages:
            await self.inbox._receive(message)


def messages(first: int, count: int) -> list[Msg]:
    replies = (f"$JS.ACK.MARKET_DATA.reader.1.{number}.{number}.1.0" for number in range(first, first + count))
    return [Msg(cast("Any", None), QUOTE.name, reply, b"") for reply in replies]


@pytest.fixture
def connection() -> Connection:
    return Connection()


async def test_where_few_wait_the_connection_rests_and_what_it_reads_then_is_taken_too(connection: Connection) -> None:
    first, others = messages(1, 1), messages(2, 3)
    connection.sent = others
    await connection.arrive(*first)
    assert await connection.inbox.take(10, linger_seconds=0.01) == [*first, *others]
    assert connection.rests == [pytest.approx(0.009)]


async def test_where_many_wait_they_are_read_without_a_rest(connection: Connection) -> None:
    """Of a backlog nothing may be left unread."""
    many = messages(1, 1000)
    await connection.arrive(*many)
    assert await connection.inbox.take(4096, linger_seconds=0.01) == many
    assert not connection.rests


async def test_where_a_batch_is_full_nothing_is_waited_for(connection: Connection) -> None:
    await connection.arrive(*messages(1, 10))
    async with asyncio.timeout(30):
        assert len(await connection.inbox.take(10, linger_seconds=60)) == 10
    assert not connection.rests
