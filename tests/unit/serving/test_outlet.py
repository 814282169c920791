"""What goes wrong with one client is that client's alone."""

import asyncio
from collections.abc import Sequence

import pytest

from serving.api.streaming.framing import Framing, frames
from serving.api.streaming.outlet import Outlet
from serving.api.streaming.update import Update
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.stream_server import Server, Wire


def spoilt(updates: Sequence[Update]) -> bytes:
    raise ValueError(f"planted for {len(updates)}")


class Broken(Wire):
    """A connection that cannot even be ended."""

    def end(self, code: int, reason: str) -> None:
        super().end(code, reason)
        raise OSError("planted")


@pytest.mark.parametrize("kind", [Wire, Broken])
async def test_a_client_that_cannot_be_written_to_is_ended_and_silences_nobody(kind: type[Wire]) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context.get("exception")))
    server, wires = Server(100), [kind(), Wire(), Wire()]
    framings: list[Framing] = [spoilt, frames, frames]
    outlets = [Outlet(wire, framing, server.pump, 1024) for wire, framing in zip(wires, framings, strict=True)]
    for outlet in outlets:
        server.hub.subscribe(outlet.listener, ["AAPL"])
    for round_ in (1, 2):
        server.hub.publish(PREDICTION)
        for _ in range(3):
            await asyncio.sleep(0)
        assert [wire.received.count(b'"type":"prediction"') for wire in wires] == [0, round_, round_]
    assert [[code for code, _ in wire.ended] for wire in wires] == [[1011], [], []]
    assert len(told) == (kind is Broken), "what cannot be met is not swallowed"
