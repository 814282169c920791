"""Deliveries that were lost on their way come again, and a new chapter begins only then."""

import asyncio

import pytest
from nats.aio.msg import Msg

from riskee.errors import RetryableError
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import Bus
from riskee.storage.deliveries import delivery_of
from riskee.storage.inbox import Durable, Inbox
from tests.integration.conftest import eventually
from tests.integration.test_bus import Reader, quotes

pytestmark = pytest.mark.integration

# So long that a pause of this process makes no second delivery of what it was just given.
DURABLE = Durable("test-lost", QUOTE.name, ack_wait_seconds=1.0)


def chapter(quote: Quote) -> int:
    return quote.sequence // 10


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Places in the stream whose next delivery does not arrive."""
    places: set[str] = set()
    receive = Inbox._receive

    async def lossy(inbox: Inbox, message: Msg) -> None:
        place = delivery_of(message.reply).place
        if place in places:
            places.discard(place)
        else:
            await receive(inbox, message)

    monkeypatch.setattr(Inbox, "_receive", lossy)
    return places


async def test_a_chapter_begins_when_all_of_the_one_before_has_come(bus: Bus, lost: set[str]) -> None:
    """The last two of it are lost, as the end of a session is where the network stalls."""
    lost |= {"9", "10"}
    async with Reader(bus, DURABLE, chapter=chapter) as reader:
        await bus.publish(QUOTE, *quotes(8))
        await eventually(lambda: len(reader.handled) == 8)
        await bus.publish(QUOTE, *quotes(13)[8:])
        await eventually(lambda: len(reader.handled) == 13)
    assert reader.handled == [*range(13)]


async def test_what_was_lost_is_waited_for_no_longer_than_until_it_has_come(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given back long before it would come by itself."""
    durable = Durable("test-lost-back", QUOTE.name, ack_wait_seconds=600.0)
    gone: list[Msg] = []
    receive = Inbox._receive

    async def lossy(inbox: Inbox, message: Msg) -> None:
        if gone or delivery_of(message.reply).place != "9":
            await receive(inbox, message)
        else:
            gone.append(message)

    monkeypatch.setattr(Inbox, "_receive", lossy)
    async with Reader(bus, durable, chapter=chapter) as reader:
        await bus.publish(QUOTE, *quotes(8))
        await eventually(lambda: len(reader.handled) == 8)
        await bus.publish(QUOTE, *quotes(13)[8:])
        await eventually(lambda: reader._loop._inbox.losses.noted)
        assert not await reader._loop._inbox.holds_all()
        await gone[0].nak()
        await eventually(lambda: len(reader.handled) == 13)
    assert reader.handled == [*range(13)]


async def test_within_a_chapter_the_newest_do_not_wait(bus: Bus, lost: set[str]) -> None:
    lost.add("5")
    async with Reader(bus, DURABLE, chapter=chapter) as reader:
        await bus.publish(QUOTE, *quotes(8))
        await eventually(lambda: len(reader.handled) == 8)
    assert reader.handled == [0, 1, 2, 3, 5, 6, 7, 4]


async def test_without_chapters_nothing_waits(bus: Bus, lost: set[str]) -> None:
    lost.add("9")
    async with Reader(bus, DURABLE) as reader:
        await bus.publish(QUOTE, *quotes(13))
        await eventually(lambda: len(reader.handled) == 13)
    assert reader.handled == [*range(8), *range(9, 13), 8]


@pytest.mark.parametrize("max_batch", [512, 2])
async def test_what_came_while_the_batch_before_was_held_up_counts_before_the_new_chapter(
    bus: Bus, lost: set[str], max_batch: int
) -> None:
    """By then the time to wait for it is over; it waits behind what is new."""
    lost.add("9")
    durable = Durable("test-late", QUOTE.name, ack_wait_seconds=1.0)
    held_up = True

    def fail(numbers: list[int]) -> None:
        if held_up and 9 in numbers:
            raise RetryableError("a server is away")

    async with Reader(bus, durable, fail, max_batch, chapter) as reader:
        await bus.publish(QUOTE, *quotes(10))
        await eventually(lambda: not reader.health.ready)
        await bus.publish(QUOTE, *quotes(13)[10:])
        await asyncio.sleep(3 * durable.ack_wait_seconds)
        held_up = False
        await eventually(lambda: len(reader.handled) == 13)
    assert reader.handled[:8] == [*range(8)]
    assert sorted(reader.handled[8:10]) == [8, 9]
    assert reader.handled[10:] == [10, 11, 12]


async def left_behind(bus: Bus, durable: Durable, *held: int) -> list[Msg]:
    """What a reader held that died near the end of a chapter. The rest of it waits for the heir, and the next."""
    first, *_, last = held
    await bus.publish(QUOTE, *quotes(first))
    async with Reader(bus, durable, chapter=chapter) as reader:
        await eventually(lambda: len(reader.handled) == first)
    taken: list[Msg] = []

    async def take(message: Msg) -> None:
        taken.append(message)

    subscription = await bus.client.subscribe(f"deliver.{durable.name}", cb=take)
    await bus.publish(QUOTE, *quotes(last + 1)[first:])
    await eventually(lambda: len(taken) == len(held))
    await subscription.unsubscribe()
    await bus.publish(QUOTE, *quotes(13)[last + 1 :])
    return taken


async def test_an_heir_begins_no_chapter_before_what_its_predecessor_held_has_come(bus: Bus) -> None:
    durable = Durable("test-heir", QUOTE.name, ack_wait_seconds=3.0)
    await left_behind(bus, durable, 7, 8)
    async with Reader(bus, durable, chapter=chapter) as heir:
        await eventually(lambda: len(heir.handled) == 6)
    assert sorted(heir.handled[:3]) == [7, 8, 9]
    assert heir.handled[3:] == [10, 11, 12]


async def test_an_heir_waits_until_all_that_its_predecessor_held_has_come_and_no_longer(bus: Bus) -> None:
    """It is given back long before it would come by itself, one after the other."""
    durable = Durable("test-given-back", QUOTE.name, ack_wait_seconds=600.0)
    former, latter = await left_behind(bus, durable, 7, 8)
    async with Reader(bus, durable, chapter=chapter) as heir:
        await eventually(lambda: heir._loop._inbox.losses.noted)
        await bus.publish(QUOTE, *quotes(15)[13:])
        await former.nak()
        await asyncio.sleep(0.3)
        assert 10 not in heir.handled, "the other one has not come"
        await latter.nak()
        await eventually(lambda: len(heir.handled) == 8)
    assert sorted(heir.handled[:3]) == [7, 8, 9]
    assert heir.handled[3:] == [*range(10, 15)]
