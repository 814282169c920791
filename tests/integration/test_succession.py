"""Durables that take over from others, against a real NATS server: nothing is lost, nothing is read anew."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest
from nats.aio.msg import Msg

from riskee.messaging.slots import SLOTS
from riskee.storage.bus import Bus, Outgoing
from riskee.storage.inbox import Durable, Inbox
from riskee.storage.succession import succeed
from serving.consumers.partitions import divided

pytestmark = pytest.mark.integration
RETIRED = r"reader-\d+-of-\d+"


def durables(partitions: int) -> list[Durable]:
    """The durables of a division; nothing of theirs comes twice while a test runs."""
    return [
        Durable(unit.durable("reader"), unit.subjects[0], also=unit.subjects[1:], ack_wait_seconds=60.0)
        for unit in divided(partitions)
    ]


async def publish(bus: Bus, numbers: Iterable[int]) -> None:
    """A message on every slot in turn."""
    await bus.publish_encoded(
        [Outgoing(f"data.market.quote.{n % SLOTS}", f"message {n}", str(n).encode()) for n in numbers]
    )


async def read(bus: Bus, readers: Sequence[Durable], *, but: int = 0) -> list[int]:
    """All that comes, acknowledged; the last `but` messages of each reader are taken without an end."""
    numbers: list[int] = []
    for durable in readers:
        inbox = Inbox(bus, durable)
        await inbox.open()
        wanted = (await inbox.backlog()).total - but
        taken: list[Msg] = []
        while len(taken) < wanted:
            taken += await asyncio.wait_for(inbox.take(wanted - len(taken)), 60)
        await inbox.ack(taken)
        await bus.client.flush()
        await inbox.close()
        numbers += [int(message.data) for message in taken]
    return sorted(numbers)


async def names(bus: Bus) -> set[str]:
    return {info.name for info in await bus.jetstream.consumers_info("MARKET_DATA")}


@pytest.mark.parametrize(("before", "after"), [(4, 2), (2, 3), (1, 4), (4, 1)])
async def test_another_number_of_partitions_goes_on_where_the_old_ones_were(bus: Bus, before: int, after: int) -> None:
    await publish(bus, range(100))
    assert await read(bus, durables(before)) == [*range(100)]
    await publish(bus, range(100, 200))
    await succeed(bus, durables(after), RETIRED)
    assert await names(bus) == {durable.name for durable in durables(after)}
    await publish(bus, range(200, 300))
    found = await read(bus, durables(after))
    assert len(found) == len(set(found))
    assert set(found) >= {*range(100, 300)}
    assert min(found) >= 100 - before, "the place of the least advanced of them, not the stream's begin"


async def test_what_was_taken_but_not_finished_comes_to_the_heirs(bus: Bus) -> None:
    await publish(bus, range(100))
    finished = await read(bus, durables(2), but=5)
    await succeed(bus, durables(4), RETIRED)
    again = await read(bus, durables(4))
    assert set(finished) | set(again) == {*range(100)}
    assert len(again) < 20, "no more than from the first unfinished one on"


async def test_heirs_that_exist_keep_their_place(bus: Bus) -> None:
    """As after a crash in the middle, and with two processes that do it at once."""
    await publish(bus, range(64))
    await read(bus, durables(2))
    await publish(bus, range(64, 128))
    await asyncio.gather(*(succeed(bus, durables(3), RETIRED) for _ in range(5)))
    found = await read(bus, durables(3))
    assert {*range(64, 128)} <= set(found) <= {*range(62, 128)}
    await succeed(bus, durables(3), RETIRED)
    assert await read(bus, durables(3)) == []


async def test_where_nothing_is_retired_a_durable_reads_all(bus: Bus) -> None:
    await publish(bus, range(10))
    await succeed(bus, durables(2), RETIRED)
    assert await names(bus) == set()
    assert await read(bus, durables(2)) == [*range(10)]


async def test_the_rest_of_a_stream_is_left_alone(bus: Bus) -> None:
    other = Inbox(bus, Durable("recorder", "data.market.quote"))
    await other.open()
    await read(bus, durables(2))
    await succeed(bus, durables(1), RETIRED)
    assert await names(bus) == {"recorder", "reader-0-of-1"}
    await other.close()
