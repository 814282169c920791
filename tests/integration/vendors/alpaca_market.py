"""A market that Alpaca tells of: its stream and its REST API on loopback, as the vendor documents them."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from riskee.market.minutes import MINUTE, MinuteBar
from tests.integration.vendors.listings import KEY, SECRET
from tests.integration.vendors.server import Reply, Request, Server, serving

# Of each kind of market data the channel that carries it.
CHANNELS = dict.fromkeys("tcx", "trades") | {"q": "quotes", "b": "bars", "u": "updatedBars", "s": "statuses"}
# What the server itself would log of the client's frames is no matter here.
_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.WARNING)
_SYMBOL = re.compile(r"[A-Z.]{1,10}")


@dataclass
class Client:
    """One connection, and what it is subscribed to."""

    socket: ServerConnection
    channels: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CHANNELS.values()})

    async def say(self, *messages: dict[str, Any]) -> None:
        with suppress(ConnectionClosed):
            await self.socket.send(json.dumps(messages))


@dataclass
class StreamServer:
    """The stream. `limits` is how many symbols a channel allows, `refusal` what a login gets instead of a yes."""

    url: str = ""
    limits: dict[str, int] = field(default_factory=dict)
    missing_channels: set[str] = field(default_factory=set)
    connections: int = 1
    refusal: tuple[int, str] | None = None
    clients: list[Client] = field(default_factory=list)
    logins: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    # Called when a client has subscribed to minute bars, before it hears of it.
    on_subscribed: Callable[[], None] = lambda: None

    async def push(self, *messages: dict[str, Any]) -> None:
        """Send market data to whoever has subscribed to them, as one frame."""
        for client in self.clients:
            wanted = [m for m in messages if m["T"] not in CHANNELS or m["S"] in client.channels[CHANNELS[m["T"]]]]
            if wanted:
                await client.say(*wanted)

    async def push_raw(self, frame: str | bytes) -> None:
        for client in self.clients:
            await client.socket.send(frame)

    def drop(self) -> None:
        """Break all connections without a word."""
        for client in self.clients:
            client.socket.transport.abort()

    def go_deaf(self) -> None:
        """Leave all connections open and read nothing from them any more, pings neither: half open."""
        for client in self.clients:
            client.socket.transport.pause_reading()

    async def handle(self, socket: ServerConnection) -> None:
        client = Client(socket)
        await client.say({"T": "success", "msg": "connected"})
        try:
            if await self._log_in(client):
                self.clients.append(client)
                async for frame in socket:
                    await self._subscribe(client, json.loads(frame))
        except ConnectionClosed:
            pass
        finally:
            if client in self.clients:
                self.clients.remove(client)

    async def _log_in(self, client: Client) -> bool:
        question = json.loads(await client.socket.recv())
        self.logins += 1
        if self.refusal is not None:
            await client.say({"T": "error", "code": self.refusal[0], "msg": self.refusal[1]})
        elif (question["action"], question["key"], question["secret"]) != ("auth", KEY, SECRET):
            # A vendor should not repeat the secret; should it, nobody may read it in our logs.
            await client.say({"T": "error", "code": 402, "msg": f"auth failed {question['secret']}"})
        elif len(self.clients) >= self.connections:
            await client.say({"T": "error", "code": 406, "msg": "connection limit exceeded"})
        else:
            await client.say({"T": "success", "msg": "authenticated"})
            return True
        return False

    async def _subscribe(self, client: Client, question: dict[str, Any]) -> None:
        self.asked.append(question)
        wished = {name: set(symbols) for name, symbols in question.items() if name != "action"}
        after = {name: client.channels[name] | symbols for name, symbols in wished.items()}
        if not all(_SYMBOL.fullmatch(symbol) for symbols in wished.values() for symbol in symbols):
            await client.say({"T": "error", "code": 400, "msg": "invalid syntax"})
        elif self.missing_channels & set(wished):
            await client.say({"T": "error", "code": 410, "msg": "invalid subscribe action for this feed"})
        elif any(len(symbols) > self.limits.get(name, 1 << 30) for name, symbols in after.items()):
            await client.say({"T": "error", "code": 405, "msg": "symbol limit exceeded"})
        else:
            client.channels |= after
            if "bars" in wished:
                self.on_subscribed()
            await client.say({"T": "subscription"} | {name: sorted(has) for name, has in client.channels.items()})


@dataclass
class History:
    """What REST answers: the minutes and the day bars of each ticker, `page` bars at a time, and corporate actions."""

    minutes: dict[str, dict[datetime, MinuteBar]] = field(default_factory=dict)
    days: dict[str, dict[str, Any]] = field(default_factory=dict)
    actions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    page: int = 50
    asked: list[dict[str, str]] = field(default_factory=list)

    def add(self, ticker: str, bar: MinuteBar) -> None:
        self.minutes.setdefault(ticker, {})[bar.start] = bar

    def answer(self, request: Request) -> Reply:
        if (request.headers.get("apca-api-key-id"), request.headers.get("apca-api-secret-key")) != (KEY, SECRET):
            return Reply({"message": "forbidden."}, 403)
        if request.path == "/v1/corporate-actions":
            return Reply({"corporate_actions": self.actions, "next_page_token": None})
        self.asked.append(request.query)
        symbols = request.query["symbols"].split(",")
        wrong = [symbol for symbol in symbols if not _SYMBOL.fullmatch(symbol)]
        if wrong:
            return Reply({"message": f"invalid symbol: {wrong[0]}"}, 400)
        rows = [row for symbol in sorted(symbols) for row in self._rows(symbol, request.query)]
        begin = int(request.query.get("page_token", 0))
        bars: dict[str, list[dict[str, Any]]] = {}
        for symbol, row in rows[begin : begin + self.page]:
            bars.setdefault(symbol, []).append(row)
        more = begin + self.page < len(rows)
        return Reply({"bars": bars, "next_page_token": str(begin + self.page) if more else None})

    def _rows(self, symbol: str, query: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
        if query["timeframe"] == "1Day":
            return [(symbol, self.days[symbol])] if symbol in self.days else []
        first, last = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        known = sorted(self.minutes.get(symbol, {}).items())
        return [(symbol, minute_row(bar)) for start, bar in known if first <= start <= last]


@dataclass
class AlpacaMarket:
    """Both, and the settings that lead to them."""

    stream: StreamServer
    history: History
    rest: Server

    @property
    def settings(self) -> dict[str, Any]:
        """Of RISKEE_ALPACA__…: nobody waits for long, but for a machine that is busy."""
        return {
            "url": self.rest.url,
            "key_id": KEY,
            "secret_key": SECRET,
            "feed": "iex",
            "requests_per_minute": 1e6,
            "timeout_seconds": 20.0,
            "stream": {
                "url": self.stream.url,
                "publish_seconds": 0.02,
                "first_pause_seconds": 0.02,
                "ping_seconds": 10.0,
                "settle_seconds": 0.3,
            },
        }


@asynccontextmanager
async def alpaca_market() -> AsyncIterator[AlpacaMarket]:
    """The vendor, with nothing listed."""
    stream, history = StreamServer(), History()
    async with serve(stream.handle, "127.0.0.1", 0, close_timeout=0.1, ping_interval=None, logger=_quiet) as server:
        stream.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        with serving(history.answer) as rest:
            yield AlpacaMarket(stream, history, rest)
            # The server waits for its connections to close, and a deaf one never does.
            stream.drop()


def stamp(moment: datetime) -> str:
    """As the vendor writes it, with nanoseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}123Z"


def minute_row(bar: MinuteBar) -> dict[str, Any]:
    prices = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.volume}
    return {"t": f"{bar.start:%Y-%m-%dT%H:%M:%SZ}", **prices, "n": 10, "vw": bar.close}


def minute_message(ticker: str, bar: MinuteBar) -> dict[str, Any]:
    return {"T": "u" if bar.revision else "b", "S": ticker, **minute_row(bar)}


def trade_message(
    ticker: str, number: int, moment: datetime, price: float, size: int, conditions: str = "@"
) -> dict[str, Any]:
    return {
        "T": "t", "S": ticker, "i": number, "x": "V", "p": price, "s": size, "c": list(conditions), "z": "C",
        "t": stamp(moment),
    }  # fmt: skip


def cancel_message(ticker: str, number: int, moment: datetime) -> dict[str, Any]:
    return {"T": "x", "S": ticker, "i": number, "x": "V", "p": 1.0, "s": 1, "a": "C", "z": "C", "t": stamp(moment)}


def correction_message(
    ticker: str, original: int, number: int, moment: datetime, price: float, size: int
) -> dict[str, Any]:
    return {
        "T": "c", "S": ticker, "x": "V", "oi": original, "op": 1.0, "os": 1, "oc": ["@"], "ci": number, "cp": price,
        "cs": size, "cc": ["@"], "z": "C", "t": stamp(moment),
    }  # fmt: skip


def status_message(ticker: str, code: str, moment: datetime, reason: str = "") -> dict[str, Any]:
    return {
        "T": "s", "S": ticker, "sc": code, "sm": "made up", "rc": "T12", "rm": reason, "z": "C", "t": stamp(moment)
    }  # fmt: skip


def minute(start: datetime, price: float, volume: float = 100.0, revision: int = 0) -> MinuteBar:
    """A made-up bar around a price."""
    return MinuteBar(
        start=start,
        open=price,
        high=price + 0.5,
        low=price - 0.25,
        close=price + 0.25,
        volume=volume,
        revision=revision,
    )


def full_minutes(opens_at: datetime, until: datetime) -> list[datetime]:
    """The starts of the minutes from the open that are over."""
    return [opens_at + n * MINUTE for n in range(int((until - opens_at) / timedelta(minutes=1)))]


async def stopped(client: Client) -> None:
    """Wait until a connection is gone."""
    await asyncio.wait_for(client.socket.wait_closed(), 60)
