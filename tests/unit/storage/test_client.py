"""What the client reads of a message's headers, without a server: its own parser and a subscription."""

from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.protocol.parser import Parser

from riskee.storage.client import LightClient, identity


async def received(*headers: str) -> Msg:
    """The message that the client makes of one with these headers."""
    client: Any = LightClient()
    subscription = Subscription(client, 1, "a")
    client._subs[1] = subscription
    block = "NATS/1.0" + "".join(f"{line}\r\n" for line in headers) + "\r\n"
    wire = f"HMSG a 1 {len(block)} {len(block) + 2}\r\n{block}hi\r\n"
    await Parser(client).parse(wire.encode())
    message: Msg = subscription._pending_queue.get_nowait()
    assert message.data == b"hi"
    return message


async def test_the_id_that_a_message_was_published_with_is_left_unread() -> None:
    assert (await received("", "Nats-Msg-Id: 17")).headers is None


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        ((" 503",), {"Status": "503"}),
        (("", "Nats-Stream: S", "Nats-Msg-Id: 17"), {"Nats-Stream": "S", "Nats-Msg-Id": "17"}),
    ],
)
async def test_what_the_server_says_is_read(lines: tuple[str, ...], read: dict[str, str]) -> None:
    assert (await received(*lines)).headers == read


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("nats://api:secret@a:4222", {"user": "api", "password": "secret"}),
        ("tls://api:%2F%40%3A@a:4222", {"user": "api", "password": "/@:"}),
        ("nats://token@a:4222", {}),
        ("nats://a:4222", {}),
    ],
)
async def test_the_user_of_the_address_is_that_of_all_servers(
    address: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those too that the first one tells of: their addresses have none."""
    given: list[object] = []

    async def connect(_self: Client, addresses: list[str], **options: object) -> None:
        given.extend((addresses, options))

    monkeypatch.setattr(Client, "connect", connect)
    addresses = [address, "nats://b:4222"]
    await LightClient().connect(addresses, name="me")
    assert identity(address) == options
    assert given == [addresses, options | {"name": "me"}]
