"""Whatever breaks and however slowly a client reads: in the end it knows what the server knows, and nothing twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.messaging.standing import StaleTickers
from riskee.messaging.statuses import Status
from serving.api.streaming.framing import frames
from serving.api.streaming.messages import Resume
from serving.api.streaming.outlet import Outlet
from serving.api.streaming.update import ALL
from serving.bench.stream_crowd import split
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.standings import START
from tests.unit.serving.stream_server import TICKERS, Server, Wire

Step = tuple[Literal["publish", "stale", "mute", "pause", "go", "cut", "read"], int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "publish", "read", "stale", "mute", "pause", "go", "cut"]),
        st.integers(0, len(TICKERS) - 1),
    ),
    max_size=60,
)


@dataclass
class Client:
    """Follows the rules of docs/stream.md."""

    world: Server
    tickers: Sequence[str]
    latest: dict[str, float] = field(default_factory=dict)
    fate: dict[str, str] = field(default_factory=dict)
    standing: str = ""
    sequence: int = 0
    epoch: str = ""
    complete: bool = False
    told: set[int] = field(default_factory=set)

    async def connect(self) -> None:
        self.wire = Wire()
        self.outlet = Outlet(self.wire, frames, self.world.pump, 1024)
        resume = Resume(self.epoch, self.sequence) if self.complete else None
        self.asking = asyncio.create_task(self.world.subscribing.subscribe(self.outlet, list(self.tickers), resume))

    async def cut(self, keep: int) -> None:
        """The connection breaks; of what was under way some bytes arrive."""
        data = bytes(self.wire.received)
        self._read(data[: len(data) * keep // len(TICKERS)])
        self.wire.close()
        await self.asking
        self.world.hub.unsubscribe(self.outlet.listener, tuple(self.outlet.listener.tickers))
        await self.connect()

    def read(self) -> None:
        self._read(bytes(self.wire.received))
        self.wire.received.clear()

    def _read(self, data: bytes) -> None:
        for _, payload in split(data)[0]:
            self._take(msgspec.json.decode(payload))

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribed":
            self.epoch, self.complete = message["epoch"], message["resumed"]
            if not message["resumed"]:
                self.told.clear()
                self.fate.clear()
        assert message["sequence"] >= self.sequence or not self.complete, message
        self.sequence = message["sequence"]
        if message["type"] == "complete":
            self.complete = True
        elif message["type"] == "prediction":
            ticker = message["prediction"]["ticker"]
            assert message["prediction"]["price"] >= self.latest.get(ticker, 0), "a number went back"
            self.latest[ticker] = message["prediction"]["price"]
            self.fate.pop(ticker, None)
            if not message["snapshot"]:
                assert self.sequence not in self.told, "an update came twice"
                self.told.add(self.sequence)
        elif message["type"] == "status" and message["standing"]:
            self.standing = message["status"]
        elif message["type"] == "status":
            self.fate.update(dict.fromkeys(message["tickers"], message["status"]))


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, all_of_them=st.booleans(), size=st.sampled_from([2, 1000]))
def test_a_client_ends_up_with_what_the_server_knows(steps: list[Step], all_of_them: bool, size: int) -> None:
    asyncio.run(_play(steps, [ALL] if all_of_them else list(TICKERS[:2]), size))


async def _play(steps: list[Step], tickers: list[str], size: int) -> None:
    world = Server(size)
    client = Client(world, tickers)
    await client.connect()
    price = 0
    for kind, place in steps:
        if kind == "publish":
            price += 1
            moment = START + timedelta(seconds=price)
            made = msgspec.structs.replace(
                PREDICTION, ticker=TICKERS[place], price=float(price), data_time=moment, prediction_time=moment
            )
            world.hub.publish(made)
            if place:
                world.known[made.ticker] = made
            else:  # of this ticker the cache is always behind
                world.known.setdefault(made.ticker, made)
        elif kind == "stale":
            world.hub.notify(world.world.standings.stale(_stale(TICKERS[place])))
        elif kind == "mute":
            status = (Status.FEED_MUTE, Status.OK)[place % 2]
            world.hub.notify(world.world.beat(status, since=START + timedelta(seconds=price)))
        elif kind == "pause":
            client.wire.paused = True
        elif kind == "go":
            client.wire.go()
        elif kind == "cut":
            await client.cut(place)
        elif kind == "read":
            client.read()
        await asyncio.sleep(0)
    await _settle(client)
    wanted = TICKERS if ALL in tickers else tickers
    last = {ticker: made.price for ticker, made in world.hub._last.items() if ticker in wanted}
    assert client.latest == last
    assert client.standing == world.world.standings._shown[0].status.value


def _stale(ticker: str) -> StaleTickers:
    return StaleTickers(feed="replay/1", since=START, tickers=(ticker,))


async def _settle(client: Client) -> None:
    client.wire.go()
    for _ in range(50):
        await asyncio.sleep(0)
        client.read()
    await client.asking
    client.read()
    assert client.complete
