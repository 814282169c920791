"""What a client asks for is met whole, or changes nothing."""

from typing import Any

import msgspec
import pytest

from riskee.errors import RetryableError
from serving.api.streaming.framing import frames
from serving.api.streaming.outlet import Outlet
from serving.api.streaming.update import ALL
from serving.bench.stream_crowd import split
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.stream_server import Server, Wire


class Asking:
    """A client of a server."""

    def __init__(self, server: Server) -> None:
        self.wire = Wire()
        self.outlet = Outlet(self.wire, frames, server.pump, 1024)

    def heard(self) -> list[dict[str, Any]]:
        self.outlet.flush()
        found = [msgspec.json.decode(payload) for _, payload in split(bytes(self.wire.received))[0]]
        self.wire.received.clear()
        return found


@pytest.mark.parametrize("wanted", [ALL, "IBM"])
async def test_a_subscription_that_fails_on_the_way_changes_nothing(wanted: str) -> None:
    server = Server(100)
    client = Asking(server)
    await server.subscribing.subscribe(client.outlet, ["AAPL"])
    client.heard()
    server.away = True
    with pytest.raises(RetryableError):
        await server.subscribing.subscribe(client.outlet, ["AAPL", wanted])
    assert client.outlet.listener.tickers == {"AAPL"}
    said = client.heard()
    assert [each["tickers"] for each in said if each["type"] == "subscribed"] == [["AAPL"]]
    assert "complete" not in [each["type"] for each in said]
    server.hub.publish(msgspec.structs.replace(PREDICTION, ticker="IBM"))
    assert client.heard() == []
    server.hub.publish(msgspec.structs.replace(PREDICTION, ticker="AAPL"))
    assert [each["type"] for each in client.heard()] == ["prediction"]
    server.away = False
    await server.subscribing.subscribe(client.outlet, [wanted])
    assert client.heard()[-1]["type"] == "complete"


async def test_one_can_go_on_from_an_unsubscription() -> None:
    server = Server(100)
    client = Asking(server)
    await server.subscribing.subscribe(client.outlet, ["AAPL", "IBM"])
    client.heard()
    server.subscribing.unsubscribe(client.outlet, ["aapl"])
    assert [(each["type"], each.get("tickers")) for each in client.heard()] == [
        ("subscribed", ["IBM"]),
        ("complete", None),
    ]
