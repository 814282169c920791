"""What an inbox makes of copies, of a stream that was made anew and of a bus that is away, without a server."""

from types import SimpleNamespace
from typing import Any, cast

import nats
import pytest
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import Bus
from riskee.storage.inbox import Durable, Inbox

DURABLE = Durable("reader", QUOTE.name)


class Client:
    """Remembers what is acknowledged; answers with an error while it is away."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, bytes]] = []
        self.away = False

    async def publish(self, reply: str, answer: bytes = b"") -> None:
        if self.away:
            raise nats.errors.ConnectionClosedError
        self.answers.append((reply, answer))

    def message(self, sequence: int, delivery: int, *, stored_at: int = 1, domain: str = "") -> Msg:
        place = f"{domain}.account." if domain else ""
        end = ".random" if domain else ""
        reply = f"$JS.ACK.{place}MARKET_DATA.reader.{delivery}.{sequence}.{sequence}.{stored_at}.0{end}"
        return Msg(cast("Any", self), QUOTE.name, reply, b"")


class Subscribed:
    """A subscription that cannot be drained."""

    ended = False

    async def drain(self) -> None:
        raise nats.errors.ConnectionDrainingError

    async def unsubscribe(self) -> None:
        self.ended = True


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(cast("Bus", SimpleNamespace(connected=True)), DURABLE)


async def arrive(inbox: Inbox, *messages: Msg) -> None:
    for message in messages:
        await inbox._receive(message)


@pytest.mark.parametrize("domain", ["", "hub"])
async def test_a_copy_of_what_was_finished_is_acknowledged_and_not_handed_out(
    client: Client, inbox: Inbox, domain: str
) -> None:
    await arrive(inbox, client.message(1, 1, domain=domain))
    await inbox.ack(await inbox.take(10))
    copy, other = client.message(1, 2, domain=domain), client.message(2, 2, domain=domain)
    await arrive(inbox, copy, other, client.message(2, 3, domain=domain))
    assert await inbox.take(10) == [other]
    assert client.answers[-1][0] == copy.reply


async def test_a_message_of_a_stream_that_was_made_anew_is_no_copy(client: Client, inbox: Inbox) -> None:
    await arrive(inbox, client.message(1, 1, stored_at=100))
    await inbox.ack(await inbox.take(10))
    new = client.message(1, 2, stored_at=200)
    await arrive(inbox, new)
    assert await inbox.take(10) == [new]


async def test_an_acknowledgement_of_a_copy_that_does_not_get_through_stops_nobody(
    client: Client, inbox: Inbox
) -> None:
    await arrive(inbox, client.message(1, 1))
    await inbox.ack(await inbox.take(10))
    client.away = True
    other = client.message(2, 2)
    await arrive(inbox, client.message(1, 2), other)
    assert await inbox.take(10) == [other]


async def test_what_is_held_is_taken_again_together_with_what_arrived(client: Client, inbox: Inbox) -> None:
    held = [client.message(number, 1) for number in (1, 2)]
    await arrive(inbox, *held)
    await inbox.ack((await inbox.take(10))[:1])
    assert await inbox.take_more(5) == held[1:]
    new = [client.message(number, 1) for number in (3, 4, 5)]
    await arrive(inbox, client.message(2, 2), *new)
    assert await inbox.take_more(3) == [held[1], *new[:2]]


@pytest.mark.parametrize("connected", [True, False])
async def test_a_closed_inbox_receives_no_more_whatever_the_bus_does(client: Client, connected: bool) -> None:
    inbox, subscription = Inbox(cast("Bus", SimpleNamespace(connected=connected)), DURABLE), Subscribed()
    inbox._subscription = cast("Subscription", subscription)
    await inbox.close()
    assert subscription.ended
    await arrive(inbox, client.message(1, 1))
    assert await inbox.take(10) == ()


async def test_only_what_was_held_at_the_renewal_before_is_renewed(client: Client, inbox: Inbox) -> None:
    """Taken or not: of a stream in flow nothing is held for so long, and every renewal costs a message."""
    await arrive(inbox, client.message(1, 1), client.message(2, 1))
    await inbox.take(1)
    await inbox.renew()
    assert not client.answers
    await arrive(inbox, client.message(3, 1))
    await inbox.renew()
    assert [reply.split(".")[5] for reply, _ in client.answers] == ["1", "2"]


async def test_what_takes_long_is_renewed_though_others_come_and_go_beside_it(client: Client, inbox: Inbox) -> None:
    """Side by side, work is not finished in the order in which it came."""
    await arrive(inbox, client.message(1, 1))
    await inbox.take(1)
    for period in (1, 2, 3):
        for number in (0, 1):
            await arrive(inbox, client.message(2 * period + number, 1))
            await inbox.ack(await inbox.take(1))
        client.answers.clear()
        await inbox.renew()
    assert [reply.split(".")[5] for reply, _ in client.answers] == ["1"]


async def test_a_copy_of_what_is_in_work_is_not_handed_out(client: Client, inbox: Inbox) -> None:
    await arrive(inbox, client.message(1, 1))
    await inbox.take(1)
    other = client.message(2, 1)
    await arrive(inbox, client.message(1, 2), other)
    assert await inbox.take(10) == [other]


async def test_what_comes_for_a_second_time_is_handed_out_before_what_is_newer(client: Client, inbox: Inbox) -> None:
    late, new = client.message(2, 2), client.message(4, 1)
    await arrive(inbox, new, late)
    assert await inbox.take(10) == [late, new]


async def test_the_messages_of_a_stream_made_anew_follow_those_of_the_old_one(client: Client, inbox: Inbox) -> None:
    old, new = client.message(7, 1, stored_at=100), client.message(1, 1, stored_at=200)
    await arrive(inbox, old, new)
    await inbox.take(1)
    assert await inbox.take_more(1) == [old, new]
