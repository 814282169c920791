"""Deliveries that were lost on their way come again, and a new chapter begins only then."""

import pytest
from nats.aio.msg import Msg

from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import Bus
from riskee.storage.deliveries import delivery_of
from riskee.storage.inbox import Durable, Inbox
from tests.integration.conftest import eventually
from tests.integration.test_bus import Reader, quotes

pytestmark = pytest.mark.integration

DURABLE = Durable("test-lost", QUOTE.name, ack_wait_seconds=0.3)


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
