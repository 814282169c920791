"""The load's own sender against a real bus: what it counts as accepted is stored, what is not is refused."""

import asyncio
import time

import pytest
from nats.js.api import DiscardPolicy, StorageType, StreamConfig

from riskee.errors import FatalError
from riskee.settings import Settings
from riskee.storage.bus import Bus
from serving.bench.wire import Sender, publication

pytestmark = pytest.mark.integration
SUBJECT, STREAM = "bench.test", "BENCH_TEST"
ROOM = 600


@pytest.fixture
async def stream(bus: Bus) -> str:
    """A stream that has room for some messages and refuses the rest."""
    await bus.jetstream.add_stream(
        StreamConfig(
            name=STREAM, subjects=[SUBJECT], storage=StorageType.MEMORY, max_msgs=ROOM, discard=DiscardPolicy.NEW
        )
    )
    return STREAM


def messages(count: int) -> list[bytes]:
    return [publication(SUBJECT, f"id-{number}", b'{"number": %d}' % number) for number in range(count)]


async def test_what_is_accepted_is_stored_and_the_rest_is_refused(bus: Bus, stream: str, settings: Settings) -> None:
    sender = await asyncio.to_thread(Sender.connect, settings.nats.url.get_secret_value())
    await asyncio.to_thread(sender.send_windowed, messages(ROOM + 100))
    assert await asyncio.to_thread(sender.await_answers, ROOM + 100, 20)
    await asyncio.to_thread(sender.close)
    assert (sender.answers, sender.refused) == (ROOM + 100, 100)
    assert (await bus.jetstream.stream_info(stream)).state.messages == ROOM


async def test_a_paced_quote_is_never_sent_before_it_is_due(bus: Bus, stream: str, settings: Settings) -> None:
    sender = await asyncio.to_thread(Sender.connect, settings.nats.url.get_secret_value())
    due = [time.time() + 0.05 + number / 500 for number in range(100)]
    sent = await asyncio.to_thread(sender.send_paced, messages(100), due)
    assert all(at >= wanted for at, wanted in zip(sent, due, strict=True))
    assert await asyncio.to_thread(sender.await_answers, 100, 20)
    await asyncio.to_thread(sender.close)
    assert sender.refused == 0


async def test_a_wrong_password_is_told(bus: Bus, settings: Settings) -> None:
    password = settings.nats.url.get_secret_value().replace("@", "x@")
    with pytest.raises(FatalError, match="does not let"):
        await asyncio.to_thread(Sender.connect, password)
