"""Who hears nothing hears a heartbeat, and can go on from its sequence."""

import asyncio
from contextlib import ExitStack
from typing import Any

import msgspec

from riskee.messaging.statuses import Status
from riskee.settings import StreamSettings
from serving.api.standing import Notice, Reason
from serving.api.streaming.framing import frames
from serving.api.streaming.streams import Streams
from serving.bench.stream_crowd import split
from tests.unit.serving.standings import START
from tests.unit.serving.stream_server import Server, Wire


def heard(wire: Wire) -> list[dict[str, Any]]:
    return [msgspec.json.decode(payload) for _, payload in split(bytes(wire.received))[0]]


async def test_a_heartbeat_comes_after_what_is_being_told() -> None:
    server, now, wires = Server(100), [0.0], [Wire() for _ in range(300)]
    settings = StreamSettings(heartbeat_seconds=1.0)
    streams = Streams(settings, server.hub, server.world, lambda: now[0])
    with ExitStack() as stack:
        for wire in wires:
            server.hub.subscribe(stack.enter_context(streams.opened(wire, frames)).listener, ["AAPL"])
        server.hub.notify([Notice(Reason(Status.STALE, START), ("AAPL",), standing=False)])
        now[0] = 2.0
        streams._look(now[0])
        for _ in range(20):
            await asyncio.sleep(0)
    for wire in wires:
        assert [(each["type"], each["sequence"]) for each in heard(wire)] == [("status", 1), ("heartbeat", 1)]
