"""What a client asks for is met whole, or changes nothing."""

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from riskee.errors import RetryableError
from riskee.messaging.statuses import Status
from serving.api.problems import ProblemError
from serving.api.standing import Notice, Number, Reason
from serving.api.streaming import snapshots
from serving.api.streaming.framing import frames
from serving.api.streaming.outlet import Outlet
from serving.api.streaming.update import ALL, Update, prediction_update
from serving.bench.stream_crowd import split
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.standings import START
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
    assert [each["tickers"] for each in said if each["type"] == "subscribed"][-1] == ["AAPL"]
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
    await server.subscribing.unsubscribe(client.outlet, ["aapl"])
    assert [(each["type"], each.get("tickers")) for each in client.heard()] == [
        ("subscribed", ["IBM"]),
        ("complete", None),
    ]


async def test_those_who_come_together_share_a_read_and_its_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(sequence: int, number: Number, *, snapshot: bool) -> Update:
        made.append(number)
        return prediction_update(sequence, number, snapshot=snapshot)

    monkeypatch.setattr(snapshots, "prediction_update", counted)
    server = Server(100, {ticker: msgspec.structs.replace(PREDICTION, ticker=ticker) for ticker in ("AAPL", "IBM")})
    clients = [Asking(server) for _ in range(50)]
    await asyncio.gather(*(server.subscribing.subscribe(client.outlet, ["AAPL", "IBM"]) for client in clients))
    assert (server.reads, len(made)) == (1, 2)
    for client in clients:
        said = [(each["type"], each.get("prediction", {}).get("ticker")) for each in client.heard()]
        assert said[-3:] == [("prediction", "AAPL"), ("prediction", "IBM"), ("complete", None)]


async def test_a_snapshot_of_before_an_event_is_made_anew() -> None:
    server = Server(100, {"AAPL": msgspec.structs.replace(PREDICTION, ticker="AAPL")})
    first, second = Asking(server), Asking(server)
    await server.subscribing.subscribe(first.outlet, ["AAPL"])
    server.hub.publish(msgspec.structs.replace(PREDICTION, ticker="IBM"))
    await server.subscribing.subscribe(second.outlet, ["AAPL"])
    before, after = ([each["sequence"] for each in client.heard()] for client in (first, second))
    assert (set(before), set(after)) == ({0}, {1}), "a sequence never falls within a connection"


async def test_what_the_cache_has_of_one_is_no_answer_to_another() -> None:
    """While the database is away, who has something of the cache is served, and who has nothing is told."""
    server = Server(100, {"AAPL": msgspec.structs.replace(PREDICTION, ticker="AAPL")})
    server.database_away = True
    one, other = Asking(server), Asking(server)
    served, refused = await asyncio.gather(
        server.subscribing.subscribe(one.outlet, ["AAPL", "MSFT"]),
        server.subscribing.subscribe(other.outlet, ["IBM"]),
        return_exceptions=True,
    )
    assert served is None
    assert [each["type"] for each in one.heard()][-2:] == ["prediction", "complete"]
    assert isinstance(refused, RetryableError)
    assert other.outlet.listener.tickers == set()


@pytest.mark.parametrize("request_", ["unsubscribe", "refuse"])
async def test_nobody_is_told_to_go_on_from_what_it_has_not_got(request_: str) -> None:
    """While a notice is told to many in parts, its sequence is everybody's, but not all have it."""
    server = Server(100)
    clients = [Asking(server) for _ in range(300)]
    for client in clients:
        await server.subscribing.subscribe(client.outlet, ["AAPL", "IBM"])
        client.heard()
    server.hub.notify([Notice(Reason(Status.STALE, START), ("AAPL",), standing=False)])
    late = next(client for client in clients if not client.outlet.listener)
    if request_ == "unsubscribe":
        await server.subscribing.unsubscribe(late.outlet, ["IBM"])
    else:
        await server.subscribing.refuse(late.outlet, ProblemError(HTTPStatus.BAD_REQUEST, "bad", "planted", "none"))
    heard = [each["type"] for each in late.heard()]
    assert heard.index("status") < heard.index("error" if request_ == "refuse" else "complete")
