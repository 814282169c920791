"""The bus and the consumers' loop against a real NATS server."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from riskee.clock import SystemClock
from riskee.errors import PoisonError, RetryableError
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import DeadLetter, Quote
from riskee.messaging.streams import STREAMS
from riskee.messaging.subjects import QUOTE
from riskee.settings import NatsSettings, Settings
from riskee.storage.bus import Bus, Outgoing, codec_of
from riskee.storage.inbox import Durable, Inbox
from serving.consumers.consumption import Consumption
from serving.consumers.loop import ConsumerLoop
from serving.consumers.service import Service, serve
from serving.health import Health
from tests.integration.conftest import eventually
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration


def quotes(count: int, ticker: str = "AAPL") -> list[Envelope[Quote]]:
    made = []
    for sequence in range(count):
        identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{ticker} {sequence}")
        payload = msgspec.structs.replace(samples.QUOTE, quote_id=identity, ticker=ticker, sequence=sequence)
        made.append(wrap(payload, message_id=identity, correlation_id=identity, source="test", at=samples.NOW))
    return made


class Reader:
    """A consumption that remembers what it was given, and runs a loop until the end of the test."""

    def __init__(
        self,
        bus: Bus,
        durable: Durable,
        fail: Any = None,
        max_batch: int = 512,
        chapter: Callable[[Quote], int] | None = None,
        *,
        side_by_side: bool = False,
        stalled_after_seconds: float = 60.0,
    ) -> None:
        self.batches: list[list[int]] = []
        self.handled: list[int] = []
        self.health = Health("test")
        self.stopping = asyncio.Event()
        self._fail = fail
        consumption = Consumption(
            durable, codec_of(QUOTE), self._handle, max_batch, chapter=chapter, side_by_side=side_by_side
        )
        self._loop = ConsumerLoop(
            bus,
            consumption,
            health=self.health,
            clock=SystemClock(),
            stopping=self.stopping,
            stalled_after_seconds=stalled_after_seconds,
        )

    async def _handle(self, batch: Sequence[Envelope[Quote]]) -> None:
        numbers = [envelope.payload.sequence for envelope in batch]
        self.batches.append(numbers)
        if self._fail is not None:
            self._fail(numbers)
        self.handled += numbers

    async def __aenter__(self) -> "Reader":
        self._task = asyncio.create_task(self._loop.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        await asyncio.wait_for(self._task, 60)


async def dead_letters(bus: Bus) -> list[DeadLetter]:
    info = await bus.jetstream.stream_info("DEAD_LETTER")
    found = []
    for sequence in range(info.state.first_seq, info.state.last_seq + 1):
        message = await bus.jetstream.get_msg("DEAD_LETTER", sequence)
        found.append(msgspec.json.decode(message.data or b"", type=Envelope[DeadLetter]).payload)
    return found


async def stored(bus: Bus, stream: str) -> int:
    return int((await bus.jetstream.stream_info(stream)).state.messages)


async def test_streams_are_the_table_and_making_them_again_changes_nothing(bus: Bus) -> None:
    before = {stream.name: (await bus.jetstream.stream_info(stream.name)).config for stream in STREAMS}
    await bus.ensure_streams()
    for stream in STREAMS:
        config = (await bus.jetstream.stream_info(stream.name)).config
        assert config == before[stream.name]
        assert config.subjects == list(stream.subjects)
        assert config.max_age == stream.max_age.total_seconds()
        assert config.storage == "file"
        assert 0 < (config.max_bytes or 0) <= stream.max_bytes


async def test_a_small_disk_gets_small_streams(bus: Bus) -> None:
    small = Bus(
        bus.settings.model_copy(update={"store_limit_bytes": 32 * 1024**2}), bus.client, bus.jetstream, bus.receipts
    )
    await small.ensure_streams()
    sizes = [(await bus.jetstream.stream_info(stream.name)).config.max_bytes for stream in STREAMS]
    assert sizes == [32 * 1024**2] * len(STREAMS)
    await bus.ensure_streams()


async def test_what_is_published_twice_is_stored_once(bus: Bus) -> None:
    batch = quotes(1500)
    await bus.publish(QUOTE, *batch)
    await bus.publish(QUOTE, *batch)
    assert await stored(bus, "MARKET_DATA") == 1500


async def test_a_subject_without_a_stream_is_not_accepted(bus: Bus) -> None:
    with pytest.raises(RetryableError, match="not accepted"):
        await bus.publish_encoded([Outgoing("nobody.listens", "1", b"{}")])


async def test_without_a_server_connecting_says_so() -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        await Bus.connect(NatsSettings(url=SecretStr("nats://127.0.0.1:9")), "test", timeout=0.5)


async def test_batches_hold_what_has_arrived_in_order(bus: Bus) -> None:
    await bus.publish(QUOTE, *quotes(700))
    async with Reader(bus, Durable("test-order", QUOTE.name), max_batch=300) as reader:
        await eventually(lambda: len(reader.handled) == 700)
    assert reader.handled == list(range(700))
    assert max(map(len, reader.batches)) <= 300
    assert len(reader.batches) < 100, "messages are handled together"


async def test_a_restarted_consumer_goes_on_where_it_was(bus: Bus) -> None:
    durable = Durable("test-restart", QUOTE.name)
    await bus.publish(QUOTE, *quotes(10))
    async with Reader(bus, durable) as first:
        await eventually(lambda: len(first.handled) == 10)
    await bus.publish(QUOTE, *quotes(15)[10:])
    async with Reader(bus, durable) as second:
        await eventually(lambda: len(second.handled) == 5)
    assert second.handled == [10, 11, 12, 13, 14]


async def test_readers_of_a_shared_durable_share_its_messages(bus: Bus) -> None:
    # So long none is delivered again, however busy the machine is.
    durable = Durable("test-shared", QUOTE.name, shared=True, ack_wait_seconds=60.0)
    async with Reader(bus, durable) as first, Reader(bus, durable) as second:
        await eventually(lambda: all(durable.name in str(each.health.report()) for each in (first, second)))
        await bus.publish(QUOTE, *quotes(400))
        await eventually(lambda: len(first.handled) + len(second.handled) >= 400)
    assert sorted(first.handled + second.handled) == [*range(400)]
    assert first.handled
    assert second.handled


async def test_what_a_reader_of_a_shared_durable_left_comes_to_the_others(bus: Bus) -> None:
    """It takes some and answers for none, as a process that was killed."""
    durable = Durable("test-left", QUOTE.name, shared=True, ack_wait_seconds=0.3)
    await bus.publish(QUOTE, *quotes(50))
    lost = Inbox(bus, durable)
    await lost.open()
    await asyncio.wait_for(lost.take(10), 10)
    await lost.close()
    async with Reader(bus, durable) as heir:
        await eventually(lambda: len(heir.handled) == 50)
    assert sorted(heir.handled) == [*range(50)]


@pytest.mark.parametrize("shared", [False, True])
async def test_a_durable_stays_as_it_was_made_and_goes_on(bus: Bus, *, shared: bool) -> None:
    """A server takes another group of readers, and delivers nothing more."""
    made, wanted = (Durable("test-kept", QUOTE.name, shared=each) for each in (shared, not shared))
    await bus.publish(QUOTE, *quotes(10))
    async with Reader(bus, made) as before:
        await eventually(lambda: len(before.handled) == 10)
    await bus.publish(QUOTE, *quotes(20)[10:])
    async with Reader(bus, wanted) as after:
        await eventually(lambda: len(after.handled) == 10)
    assert after.handled == [*range(10, 20)]


async def test_a_malformed_message_is_dead_lettered_and_the_rest_goes_on(bus: Bus) -> None:
    good = quotes(3)
    broken = codec_of(QUOTE).encode(good[1]).replace(b'"price":676.27', b'"price":-1.0')
    await bus.publish(QUOTE, good[0])
    await bus.publish_encoded([Outgoing(QUOTE.name, "broken", broken), Outgoing(QUOTE.name, "junk", b"\xff\x00junk")])
    await bus.publish(QUOTE, good[2])
    async with Reader(bus, Durable("test-poison", QUOTE.name)) as reader:
        await eventually(lambda: len(reader.handled) == 2)
        await eventually(lambda: _count(bus, 2))
    letters = await dead_letters(bus)
    assert reader.handled == [0, 2]
    assert {letter.subject for letter in letters} == {QUOTE.name}
    assert any("price" in letter.reason and letter.body == broken.decode() for letter in letters)
    info = await bus.jetstream.consumer_info("MARKET_DATA", "test-poison")
    assert info.num_ack_pending == 0, "a terminated message does not come back"


async def _count(bus: Bus, wanted: int) -> bool:
    return await stored(bus, "DEAD_LETTER") == wanted


@pytest.mark.parametrize("error", [PoisonError("no good"), KeyError("a defect")])
async def test_one_poisonous_message_of_a_batch_does_not_harm_the_others(bus: Bus, error: Exception) -> None:
    def fail(numbers: list[int]) -> None:
        if 3 in numbers:
            raise error

    await bus.publish(QUOTE, *quotes(6))
    async with Reader(bus, Durable("test-isolate", QUOTE.name), fail) as reader:
        await eventually(lambda: len(reader.handled) == 5)
        await eventually(lambda: _count(bus, 1))
    assert sorted(reader.handled) == [0, 1, 2, 4, 5]
    (letter,) = await dead_letters(bus)
    assert ("no good" in letter.reason) or ("a defect" in letter.reason)


async def test_a_defect_that_every_message_meets_buries_none(bus: Bus) -> None:
    """A wrong setting or half a deployment: what waits is handled once that is mended."""
    mended = False

    def fail(_numbers: list[int]) -> None:
        if not mended:
            raise KeyError("a defect")

    await bus.publish(QUOTE, *quotes(5))
    async with Reader(bus, Durable("test-defect", QUOTE.name), fail) as reader:
        await eventually(lambda: "a defect" in str(reader.health.report()))
        mended = True
        await eventually(lambda: len(reader.handled) == 5)
        await eventually(lambda: reader.health.ready)
    assert reader.handled == [0, 1, 2, 3, 4]
    assert await stored(bus, "DEAD_LETTER") == 0


@pytest.mark.parametrize("side_by_side", [False, True])
async def test_a_defect_that_one_message_after_another_meets_buries_the_first_alone(
    bus: Bus, *, side_by_side: bool
) -> None:
    mended = False

    def fail(_numbers: list[int]) -> None:
        if not mended:
            raise KeyError("a defect")

    await bus.publish(QUOTE, *quotes(4))
    durable = Durable("test-alone", QUOTE.name)
    async with Reader(bus, durable, fail, max_batch=1, side_by_side=side_by_side) as reader:
        await eventually(lambda: "a defect" in str(reader.health.report()))
        mended = True
        await eventually(lambda: sorted(reader.handled) == [1, 2, 3])
        await eventually(lambda: reader.health.ready)
    (letter,) = await dead_letters(bus)
    assert "a defect" in letter.reason


async def test_the_last_bad_message_of_a_quiet_subject_is_given_up_in_the_end(bus: Bus) -> None:
    def fail(_numbers: list[int]) -> None:
        raise KeyError("a defect")

    async with Reader(bus, Durable("test-last", QUOTE.name), fail, stalled_after_seconds=2.0) as reader:
        for number in (1, 2):
            await bus.publish(QUOTE, *quotes(number)[-1:])
            await eventually(partial(_count, bus, number))
        await eventually(lambda: reader.health.ready)


async def test_messages_of_their_own_defect_are_buried_once_another_gets_through(bus: Bus) -> None:
    """Two alone look as if this process were at fault; they must not hold up those that follow."""

    def fail(numbers: list[int]) -> None:
        if min(numbers) < 2:
            raise KeyError("a defect")

    await bus.publish(QUOTE, *quotes(2))
    async with Reader(bus, Durable("test-two", QUOTE.name), fail) as reader:
        await eventually(lambda: "a defect" in str(reader.health.report()))
        await bus.publish(QUOTE, *quotes(3)[2:])
        await eventually(lambda: reader.handled == [2])
        await eventually(lambda: _count(bus, 2))
        await eventually(lambda: reader.health.ready)


async def test_a_server_that_is_away_uses_up_no_deliveries(bus: Bus) -> None:
    """The batch is held for longer than the acknowledgement wait: nothing is delivered again, nothing is lost."""
    away = True

    def fail(numbers: list[int]) -> None:
        if away:
            raise RetryableError("the database is away")

    await bus.publish(QUOTE, *quotes(5))
    # So long that a slow machine does not miss three renewals.
    durable = Durable("test-away", QUOTE.name, ack_wait_seconds=6.0, max_deliveries=1)
    async with Reader(bus, durable, fail) as reader:
        await eventually(lambda: not reader.health.ready)
        assert "the database is away" in str(reader.health.report())
        await asyncio.sleep(1.5 * durable.ack_wait_seconds)
        info = await bus.jetstream.consumer_info("MARKET_DATA", "test-away")
        assert (info.num_redelivered, info.num_ack_pending) == (0, 5)
        away = False
        await eventually(lambda: len(reader.handled) == 5)
        await eventually(lambda: reader.health.ready)
    assert reader.handled == [0, 1, 2, 3, 4]
    assert await stored(bus, "DEAD_LETTER") == 0
    info = await bus.jetstream.consumer_info("MARKET_DATA", "test-away")
    assert (info.num_redelivered, info.num_ack_pending) == (0, 0)


async def made(bus: Bus, durable: Durable) -> None:
    """Make a durable that has delivered nothing."""
    inbox = Inbox(bus, durable)
    await inbox.open()
    await inbox.close()


async def test_a_message_that_kills_its_reader_ends_in_the_dead_letters(bus: Bus) -> None:
    """Its deliveries end without an acknowledgement, even those that should have buried it; the next one buries it."""
    durable = Durable("test-killer", QUOTE.name, ack_wait_seconds=0.2, max_deliveries=2)
    arrivals: list[Msg] = []

    async def die(message: Msg) -> None:
        arrivals.append(message)

    await made(bus, durable)
    await bus.publish(QUOTE, *quotes(1))
    subscription = await bus.client.subscribe(f"deliver.{durable.name}", cb=die)
    await eventually(lambda: len(arrivals) == 4)
    await subscription.unsubscribe()
    async with Reader(bus, durable) as heir:
        await eventually(lambda: _count(bus, 1))
    assert heir.handled == []
    (letter,) = await dead_letters(bus)
    assert "delivered 2 times" in letter.reason


async def test_a_stop_finishes_what_has_arrived(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[Msg] = []
    receive = Inbox._receive

    async def noted(inbox: Inbox, message: Msg) -> None:
        if not inbox._closed:
            arrived.append(message)
        await receive(inbox, message)

    monkeypatch.setattr(Inbox, "_receive", noted)
    durable = Durable("test-stop", QUOTE.name, ack_wait_seconds=60.0)
    async with Reader(bus, durable, max_batch=10) as reader:
        await bus.publish(QUOTE, *quotes(200))
        await eventually(lambda: reader.handled)
    assert reader.handled == [*range(len(arrived))]

    async def counted() -> bool:
        # The server may have sent some to nobody any more, which are delivered again.
        info = await bus.jetstream.consumer_info("MARKET_DATA", durable.name)
        return bool(len(reader.handled) + info.num_ack_pending + info.num_pending == 200)

    await eventually(counted)


async def test_a_lost_durable_is_made_again(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.consumers.watching._EVERY_SECONDS", 0.2)
    async with Reader(bus, Durable("test-lost", QUOTE.name)) as reader:
        await bus.publish(QUOTE, *quotes(1))
        await eventually(lambda: len(reader.handled) == 1)
        await bus.jetstream.delete_consumer("MARKET_DATA", "test-lost")
        await bus.publish(QUOTE, *quotes(2)[1:])
        await eventually(lambda: 1 in reader.handled)


async def test_what_a_killed_reader_held_comes_again_within_seconds(bus: Bus) -> None:
    """The first delivery goes to a reader that never answers, then is gone, as after kill -9."""
    durable = Durable("test-killed", QUOTE.name)
    async with Reader(bus, durable):
        pass
    await bus.publish(QUOTE, *quotes(1))
    taken = asyncio.Event()

    async def die(_message: Msg) -> None:
        taken.set()

    subscription = await bus.client.subscribe(f"deliver.{durable.name}", cb=die)
    await asyncio.wait_for(taken.wait(), 60)
    await subscription.unsubscribe()
    async with Reader(bus, durable) as heir:
        # Well below the 30 s that JetStream waits by default.
        await eventually(lambda: heir.handled == [0], seconds=25)


async def test_a_reader_that_stood_still_handles_a_message_once(bus: Bus) -> None:
    """Stopped past several acknowledgement waits, it finds many copies; the last of them is no sign of a killer."""
    durable = Durable("test-still", QUOTE.name, ack_wait_seconds=0.2, max_deliveries=2)
    async with Reader(bus, durable):
        pass
    inbox = Inbox(bus, durable)
    await inbox.open()
    await bus.publish(QUOTE, *quotes(3))
    # Nobody renews: each message arrives three times or more, the last one more often than is accepted.
    await eventually(lambda: len(inbox._holding.waiting) >= 9)
    taken = [message for count in (2, 1) for message in await inbox.take(count)]
    for message in taken:
        inbox.refuse_endless(message)
    await inbox.ack(taken)
    await inbox.close()
    assert await inbox.take(100) == ()
    assert [message.metadata.sequence.stream for message in taken] == [1, 2, 3]
    info = await bus.jetstream.consumer_info("MARKET_DATA", durable.name)
    assert info.num_ack_pending == 0


async def out(bus: Bus, durable: Durable, wanted: int) -> bool:
    """Whether so many messages are delivered and not acknowledged."""
    try:
        info = await bus.jetstream.consumer_info("MARKET_DATA", durable.name)
    except NotFoundError:
        return False
    return bool(info.num_ack_pending == wanted)


async def test_what_is_slow_beside_quick_work_is_handled_once(bus: Bus) -> None:
    """Its deliveries are renewed for as long as it takes, however many others come and go."""
    durable = Durable("test-beside", QUOTE.name, ack_wait_seconds=3.0, max_pending=8)
    handled: list[int] = []
    go, stopping = asyncio.Event(), asyncio.Event()

    async def handle(batch: Sequence[Envelope[Quote]]) -> None:
        handled.extend(envelope.payload.sequence for envelope in batch)
        if batch[0].payload.sequence == 0:
            await go.wait()

    consumption = Consumption(durable, codec_of(QUOTE), handle, max_batch=1, side_by_side=True)
    loop = ConsumerLoop(bus, consumption, health=Health("test"), clock=SystemClock(), stopping=stopping)
    task = asyncio.create_task(loop.run())
    numbers = 2 * round(2 * durable.ack_wait_seconds / 0.25)
    try:
        for number in range(0, numbers, 2):
            await bus.publish(QUOTE, *quotes(numbers)[number : number + 2])
            await asyncio.sleep(0.25)
        await eventually(lambda: out(bus, durable, 1))
        assert (await bus.jetstream.consumer_info("MARKET_DATA", durable.name)).num_redelivered == 0
    finally:
        go.set()
        stopping.set()
        await asyncio.wait_for(task, 60)
    assert sorted(handled) == [*range(numbers)]


async def test_a_reader_that_hangs_is_found_out(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.consumers.watching._EVERY_SECONDS", 0.1)

    async def hang(_batch: object) -> None:
        await asyncio.Event().wait()

    loop = ConsumerLoop(
        bus,
        Consumption(Durable("test-hang", QUOTE.name), codec_of(QUOTE), hang),
        health=Health("test"),
        clock=SystemClock(),
        stopping=asyncio.Event(),
        stalled_after_seconds=0.5,
    )
    await bus.publish(QUOTE, *quotes(3))
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(loop.run(), 60)
    assert "3 messages wait" in str(caught.value.exceptions[0])


async def test_without_a_connection_publishing_fails_at_once(settings: Settings) -> None:
    """What was sent and not acknowledged when the connection broke is reported then, not after a timeout."""
    bus = await Bus.connect(settings.nats, "test", timeout=10)
    window = await bus.receipts.open(2)
    bus.receipts.abandon()
    assert window.complete.is_set()
    assert window.awaited == 2
    bus.receipts.close(window)
    await bus.client.close()
    with pytest.raises(RetryableError, match="away"):
        await bus.publish(QUOTE, *quotes(1))


async def test_a_service_whose_connection_is_closed_for_good_ends(bus: Bus, settings: Settings) -> None:
    """The client never comes back from an error that the server sends, such as one for reading too slowly."""

    async def main(service: Service) -> None:
        await service.bus.client._process_err("'slow consumer detected'")
        await asyncio.Event().wait()

    metrics = settings.metrics.model_copy(update={"record_port": 0})
    own = settings.model_copy(update={"metrics": metrics})
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(serve("record", own, main, clock=SystemClock(), stopping=asyncio.Event()), 60)
    assert "closed for good" in str(caught.value.exceptions[0])


async def test_the_duplicate_window_covers_a_restart(bus: Bus) -> None:
    config = (await bus.jetstream.stream_info("MARKET_DATA")).config
    assert config.duplicate_window == timedelta(minutes=10).total_seconds()


async def test_what_arrives_while_the_connection_rests_is_read_afterwards(bus: Bus, settings: Settings) -> None:
    """And who rests meanwhile rests no longer."""
    durable = Durable("resting", QUOTE.name)
    inbox = Inbox(bus, durable)
    await inbox.open()
    other = await Bus.connect(settings.nats, "other", timeout=10)
    rests = [asyncio.create_task(bus.client.rest(3)), asyncio.create_task(bus.client.rest(60))]
    await asyncio.sleep(0)
    await other.publish(QUOTE, *quotes(3))
    seen = asyncio.create_task(inbox.take(3))
    await asyncio.wait([*rests, seen], return_when=asyncio.FIRST_COMPLETED)
    assert not seen.done()
    async with asyncio.timeout(60):
        await asyncio.gather(*rests)
        assert await seen
    await other.close()
    await inbox.close()
