"""What the client reads of a message's headers, without a server: its own parser and a subscription."""

from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.protocol.parser import Parser

from riskee.storage.client import LightClient


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
