"""Which quotes are read from the stream because record has not stored them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.aio.msg import Msg

from riskee.errors import RetryableError
from riskee.messaging.slots import ALL_SLOTS
from riskee.messaging.subjects import MARKET_STATUS, QUOTE
from riskee.storage import unrecorded
from riskee.storage.bus import Bus, Outgoing, codec_of
from riskee.storage.deliveries import delivery_of
from riskee.storage.inbox import Durable, Inbox
from riskee.storage.unrecorded import RECORDER, Unrecorded
from tests.integration.conftest import eventually
from tests.integration.test_bus import quotes

pytestmark = pytest.mark.integration

READER = "predict-quotes"


async def publish(bus: Bus, first: int, last: int) -> None:
    """Quotes by their numbers, on the plain subject and by slots in turn; after each something that is no quote."""
    for envelope in quotes(last)[first:]:
        number = envelope.payload.sequence
        subject = QUOTE.name if number % 2 else f"{QUOTE.name}.{number}"
        await bus.publish_encoded([Outgoing(subject, str(envelope.message_id), codec_of(QUOTE).encode(envelope))])
        await bus.publish_encoded([Outgoing(MARKET_STATUS.name, f"status {number}", b"no quote")])


async def given(bus: Bus, durable: str, count: int, answered: int) -> None:
    """A reader of all quotes gets so many and answers the first of them."""
    inbox = Inbox(bus, Durable(durable, QUOTE.name, also=(ALL_SLOTS,), max_pending=count))
    await inbox.open()
    await eventually(lambda: len(inbox._holding.waiting) == count)
    await inbox.ack((await inbox.take(count))[:answered])
    await inbox.close()


async def read(bus: Bus, *, answered: bool = False) -> list[int]:
    found: list[int] = []
    await Unrecorded(bus, READER).read(lambda quote: found.append(quote.sequence), answered)
    return found


async def test_what_the_reader_had_and_record_has_not_stored_is_read_in_order(bus: Bus) -> None:
    await publish(bus, 0, 6)
    assert await read(bus) == [], "the reader was given nothing"
    await given(bus, READER, count=6, answered=4)
    assert await read(bus) == [*range(6)], "nothing was ever recorded"
    assert await read(bus, answered=True) == [*range(4)]
    await publish(bus, 6, 9)
    assert await read(bus) == [*range(6)], "what comes later the reader will be given"
    await given(bus, RECORDER, count=6, answered=3)
    assert await read(bus) == [3, 4, 5]
    assert await read(bus, answered=True) == [3]
    await given(bus, RECORDER, count=6, answered=6)
    assert await read(bus) == []


async def test_what_cannot_be_read_is_passed_over(bus: Bus) -> None:
    await publish(bus, 0, 2)
    await bus.publish_encoded([Outgoing(QUOTE.name, "broken", b"no quote")])
    await publish(bus, 2, 4)
    await given(bus, READER, count=5, answered=5)
    assert await read(bus) == [*range(4)]


async def test_more_than_is_on_its_way_at_once_is_read(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrecorded, "_MOST_PENDING", 3)
    await bus.publish(QUOTE, *quotes(20))
    await given(bus, READER, count=20, answered=20)
    assert await read(bus) == [*range(20)]


@pytest.mark.parametrize("at_once", [3, 100])
async def test_a_delivery_that_is_lost_is_no_end(bus: Bus, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """As where the connection breaks: an answer to a later one would answer for it."""
    honest = bus.client.subscribe

    async def subscribe(subject: str, *, cb: Callable[[Msg], Awaitable[None]]) -> Any:
        async def receive(message: Msg) -> None:
            if delivery_of(message.reply).number != 5:
                await cb(message)

        return await honest(subject, cb=receive)

    monkeypatch.setattr(unrecorded, "_MOST_PENDING", at_once)
    await bus.publish(QUOTE, *quotes(20))
    await given(bus, READER, count=20, answered=20)
    monkeypatch.setattr(bus.client, "subscribe", subscribe)
    with pytest.raises(RetryableError, match="were lost"):
        await read(bus)


async def test_where_too_many_are_not_recorded_record_is_waited_for(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrecorded, "MOST_UNRECORDED", 4)
    await bus.publish(QUOTE, *quotes(6))
    await given(bus, READER, count=6, answered=6)
    with pytest.raises(RetryableError, match="6 quotes are not recorded yet"):
        await read(bus)
    await given(bus, RECORDER, count=6, answered=2)
    assert await read(bus) == [2, 3, 4, 5]
