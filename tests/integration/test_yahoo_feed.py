"""The feed of Yahoo against a local server that speaks its chart protocol, and the real bus and database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from sqlalchemy import Engine

from riskee.clock import FixedClock
from riskee.errors import RetryableError
from riskee.market.sessions import Session
from riskee.messaging.messages import Quote
from riskee.settings import Settings, YahooSettings
from riskee.storage.bus import Bus
from riskee.storage.sessions import write_sessions
from serving.consumers import ingest, record
from serving.consumers.feeds.feed import Wave
from serving.consumers.feeds.yahoo.client import ChartClient
from serving.consumers.feeds.yahoo.feed import YahooFeed
from serving.consumers.service import Service
from serving.database import Database
from serving.health import Health
from tests.integration.conftest import consumer, eventually
from tests.integration.live_data import MARKET, TICKERS, fill
from tests.integration.live_messages import letters, quotes, states
from tests.integration.vendors.server import Reply, Request, Server, serving
from tests.unit.seconds import Clock

pytestmark = pytest.mark.integration
PREFIX = "/v8/finance/chart/"
MINUTE = timedelta(minutes=1)


@dataclass
class Exchange:
    """What Yahoo knows: by symbol the prices of the minutes since the opening, and when the last one was traded."""

    session: Session
    prices: dict[str, list[float]]
    told: datetime
    times: dict[str, datetime] = field(default_factory=dict)
    events: dict[str, Any] = field(default_factory=dict)
    # By symbol the status that it is always answered with.
    refused: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: Request) -> Reply:
        symbol = unquote(request.path.removeprefix(PREFIX))
        if symbol in self.refused:
            return Reply("", self.refused[symbol])
        if symbol not in self.prices:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return Reply({"chart": {"result": None, "error": error}}, 404)
        prices = self.prices[symbol]
        starts = [self.session.opens_at + MINUTE * n for n in range(len(prices))]
        columns: dict[str, list[Any]] = {name: list(prices) for name in ("open", "high", "low", "close")}
        columns["volume"] = [100 for _ in prices]
        meta = {
            "symbol": symbol,
            "regularMarketTime": int(self.times.get(symbol, self.told).timestamp()),
            "regularMarketPrice": prices[-1],
        }
        indicators = {"quote": [columns]}
        result = {"meta": meta, "timestamp": [int(s.timestamp()) for s in starts], "indicators": indicators}
        result |= {"events": self.events[symbol]} if symbol in self.events else {}
        return Reply({"chart": {"result": [result], "error": None}})


@dataclass
class MovedClock:
    """A clock that the test moves."""

    at: datetime

    def now(self) -> datetime:
        return self.at


def exchange_now(engine: Engine, *, since_close: timedelta) -> Exchange:
    """A session of the real now, in the database too; by default an hour old."""
    now = datetime.now(UTC).replace(microsecond=0)
    closes = now - since_close
    session = Session(closes.date(), closes - timedelta(hours=6), closes)
    following = Session(closes.date() + timedelta(days=1), closes + timedelta(days=1), closes + timedelta(days=1.2))
    with engine.begin() as connection:
        fill(connection, models=False)
        write_sessions(connection, [session, following])
    symbols = ("^GSPC", *TICKERS)
    prices = {symbol: [100.0 + place, 102.0 + place, 101.0 + place] for place, symbol in enumerate(symbols)}
    return Exchange(session, prices, min(now, closes))


@pytest.fixture
def open_now(engine: Engine) -> Exchange:
    return exchange_now(engine, since_close=-timedelta(hours=5))


@pytest.fixture
def closed_now(engine: Engine) -> Exchange:
    return exchange_now(engine, since_close=timedelta(hours=1))


def polling(settings: Settings, server: Server, **poll: float) -> Settings:
    changes = {"seconds": 0.05, "settle_seconds": 0.0, **poll}
    yahoo = settings.yahoo.model_copy(
        update={
            "url": server.url,
            "requests_per_minute": 60_000.0,
            "timeout_seconds": 20.0,
            "poll": settings.yahoo.poll.model_copy(update=changes),
        }
    )
    feed = settings.feed.model_copy(update={"kind": "yahoo"})
    return settings.model_copy(update={"yahoo": yahoo, "feed": feed})


async def has(bus: Bus, least: int) -> bool:
    return len(await quotes(bus)) >= least


def said(quote: Quote) -> tuple[float, ...]:
    return (quote.open, quote.high, quote.low, quote.price, quote.volume)


async def test_charts_become_running_daily_bars(bus: Bus, database_settings: Settings, open_now: Exchange) -> None:
    with serving(open_now) as server:
        async with consumer("ingest", polling(database_settings, server, at_once=10), ingest.main) as running:
            await eventually(lambda: has(bus, 4))
            open_now.prices["IBM"].append(50.0)
            await eventually(lambda: has(bus, 5))
            assert running.health.ready
    found = await quotes(bus)
    assert len(found) == 5, "what has not changed is no quote"
    assert {quote.feed for quote in found} == {"yahoo"}
    assert {quote.data_time for quote in found} == {open_now.told}
    assert found[0].ticker == MARKET
    ibm = [quote for quote in found if quote.ticker == "IBM"]
    assert [said(quote) for quote in ibm] == [(102, 104, 102, 103, 300), (102, 104, 50, 50, 400)]
    assert [(quote.sequence, quote.final) for quote in ibm] == [(0, False), (1, False)]
    assert await states(bus) == ["open"]
    asked = server.asked(PREFIX + "IBM")[0]
    assert asked.query == {"interval": "1m", "range": "1d", "includePrePost": "false", "events": "div,splits"}
    assert "Mozilla" in asked.headers["user-agent"]


async def test_a_closed_market_gives_final_bars_and_is_asked_seldom(
    bus: Bus, database_settings: Settings, closed_now: Exchange
) -> None:
    with serving(closed_now) as server:
        async with consumer("ingest", polling(database_settings, server), ingest.main):
            await eventually(lambda: has(bus, 4))
            await eventually(lambda: closed(bus))
        assert len(server.requests) == 4
    found = await quotes(bus)
    assert {(quote.final, quote.data_time) for quote in found} == {(True, closed_now.session.closes_at)}
    assert await letters(bus) == []


async def test_a_split_of_today_is_in_the_factor(bus: Bus, database_settings: Settings, open_now: Exchange) -> None:
    at = int(open_now.session.opens_at.timestamp())
    open_now.events["IBM"] = {"splits": {str(at): {"date": at, "numerator": 4, "denominator": 1}}}
    with serving(open_now) as server:
        async with consumer("ingest", polling(database_settings, server), ingest.main):
            await eventually(lambda: has(bus, 4))
    factors = {quote.ticker: quote.adjustment_factor for quote in await quotes(bus)}
    assert factors == {MARKET: 1.0, "AAPL": 1.0, "IBM": 4.0, "MSFT": 1.0}


async def closed(bus: Bus) -> bool:
    return await states(bus) == ["open", "closed"]


async def test_a_restart_says_nothing_twice(
    bus: Bus, database_settings: Settings, engine: Engine, open_now: Exchange
) -> None:
    with serving(open_now) as server:
        for _ in range(2):
            async with consumer("ingest", polling(database_settings, server), ingest.main):
                asked = len(server.requests)
                await eventually(lambda asked=asked: len(server.requests) > asked + 8)  # type: ignore[misc]
    assert len(await quotes(bus)) == 4


async def test_a_restart_goes_on_from_what_is_not_recorded_yet(
    bus: Bus, database_settings: Settings, open_now: Exchange
) -> None:
    """Else it would say something new by the number of an old quote, which the bus drops."""
    with serving(open_now) as server:
        settings = polling(database_settings, server, at_once=10)
        async with consumer("record", database_settings, record.main) as running:
            await eventually(lambda: running.health.ready)
        async with consumer("ingest", settings, ingest.main):
            await eventually(lambda: has(bus, 4))
        open_now.prices["IBM"].append(50.0)
        async with consumer("ingest", settings, ingest.main) as ingesting:
            await eventually(lambda: "lockstep" in str(ingesting.health.report()))
            assert len(await quotes(bus)) == 4, "nothing is said before the recorder has what was"
            async with consumer("record", database_settings, record.main):
                await eventually(lambda: has(bus, 5))
    ibm = [quote for quote in await quotes(bus) if quote.ticker == "IBM"]
    assert [(quote.sequence, quote.price) for quote in ibm] == [(0, 103.0), (1, 50.0)]


async def test_an_unknown_symbol_is_named_and_asked_once(
    bus: Bus, database_settings: Settings, open_now: Exchange
) -> None:
    del open_now.prices["MSFT"]
    with serving(open_now) as server:
        async with consumer("ingest", polling(database_settings, server), ingest.main) as running:
            await eventually(lambda: "'unknown': 'Yahoo does not know MSFT'" in str(running.health.report()))
            await eventually(lambda: len(server.asked(PREFIX + "IBM")) > 3)
            assert running.health.ready, "the others are served"
        assert len(server.asked(PREFIX + "MSFT")) == 1
    assert {quote.ticker for quote in await quotes(bus)} == {MARKET, "AAPL", "IBM"}


async def test_the_bars_of_a_group_are_final_with_its_own_charts(
    bus: Bus, database_settings: Settings, closed_now: Exchange
) -> None:
    """One ticker at a time: the last prices of the session come after it is known to be over."""
    clock = MovedClock(closed_now.session.closes_at - MINUTE)
    closed_now.told = clock.at
    with serving(closed_now) as server:
        settings = polling(database_settings, server, at_once=1, seconds=0.5, settle_seconds=0.5)
        service = Service(settings, clock, Health("ingest"), bus, asyncio.Event())
        database = Database.connect(settings.database)
        async with aclosing(YahooFeed(service, database).waves()) as waves:  # type: ignore[type-var]
            async with asyncio.timeout(60):
                assert len([await anext(waves) for _ in range(1 + 4)]) == 5
                clock.at += 2 * MINUTE
                closed_now.told = closed_now.session.closes_at
                for prices in closed_now.prices.values():
                    prices.append(prices[-1] + 1)
                ticks = [tick async for wave in until_closed(waves) for tick in wave.ticks]
    database.close()
    assert sorted(tick.ticker for tick in ticks) == sorted([MARKET, *TICKERS])
    assert [(tick.final, tick.price) for tick in ticks] == [(True, 102.0 + place) for place in range(4)]


async def until_closed(waves: AsyncIterator[Wave]) -> AsyncIterator[Wave]:
    async for wave in waves:
        yield wave
        if wave.status is not None:
            return


@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_symbol_that_is_always_refused_holds_up_no_other(
    bus: Bus, database_settings: Settings, closed_now: Exchange, status: int, at_once: int
) -> None:
    closed_now.refused["AAPL"] = status
    with serving(closed_now) as server:
        settings = polling(database_settings, server, at_once=at_once)
        async with consumer("ingest", settings, ingest.main) as running:
            await eventually(lambda: "'left': 'Yahoo gave no chart of AAPL'" in str(running.health.report()))
            await eventually(lambda: closed(bus))
            assert running.health.ready, "the last group was served"
    found = await quotes(bus)
    assert {quote.ticker for quote in found} == {MARKET, "IBM", "MSFT"}
    assert all(quote.final for quote in found)


async def test_a_market_that_nobody_answers_for_is_not_over(
    bus: Bus, database_settings: Settings, closed_now: Exchange
) -> None:
    """Its final bars would be those of long before, and the closing prices asked for in a quarter of an hour."""
    symbols = ("^GSPC", *TICKERS)
    closed_now.refused.update(dict.fromkeys(symbols, 400))
    with serving(closed_now) as server:
        async with consumer("ingest", polling(database_settings, server), ingest.main) as running:
            await eventually(lambda: len(server.requests) > 8)
            assert await states(bus) == ["open"]
            assert not running.health.ready
            closed_now.refused.clear()
            await eventually(lambda: closed(bus))
    assert len(await quotes(bus)) == 4


async def test_an_old_price_is_not_taken_while_the_market_is_open(
    bus: Bus, database_settings: Settings, open_now: Exchange
) -> None:
    open_now.times["IBM"] = open_now.told - timedelta(minutes=40)
    with serving(open_now) as server:
        async with consumer("ingest", polling(database_settings, server), ingest.main) as running:
            await eventually(lambda: "'old': 'prices are too old of IBM'" in str(running.health.report()))
            await eventually(lambda: has(bus, 3))
            open_now.times["IBM"] = open_now.told - timedelta(minutes=5)
            # Further behind the others than a stale quote, and still the price.
            await eventually(lambda: has(bus, 4))
            await eventually(lambda: "'old': 'none'" in str(running.health.report()))
    assert await letters(bus) == []


async def test_trouble_is_told_and_the_rest_of_a_round_is_asked_again(
    bus: Bus, database_settings: Settings, open_now: Exchange
) -> None:
    with serving(open_now) as server:
        server.fail(PREFIX + "AAPL", Reply("", 503), Reply("<html>later</html>"))
        server.fail(PREFIX + "IBM", Reply("", 429, {"Retry-After": "0"}), Reply("{", cut=True))
        async with consumer("ingest", polling(database_settings, server), ingest.main) as running:
            await eventually(lambda: "Yahoo " in str(running.health.report()))
            await eventually(lambda: has(bus, 4))
            assert running.health.ready
    assert {quote.ticker for quote in await quotes(bus)} == {MARKET, *TICKERS}


@pytest.fixture
def server(open_now: Exchange) -> Iterator[Server]:
    with serving(open_now) as server:
        yield server


@pytest.fixture
def seconds() -> Clock:
    return Clock()


@pytest.fixture
async def client(server: Server, seconds: Clock) -> AsyncIterator[ChartClient]:
    settings = YahooSettings(url=server.url, timeout_seconds=0.3, requests_per_minute=30)
    http = httpx.AsyncClient(base_url=server.url, timeout=settings.timeout_seconds)
    clock = FixedClock(datetime(2020, 9, 2, 21, tzinfo=UTC))
    client = ChartClient(settings, clock, http, chance=lambda: 1.0, monotonic=seconds)
    yield client
    await client.close()


async def test_requests_keep_their_distance(client: ChartClient) -> None:
    assert [client.pause() for _ in range(3)] == [0.0, 2.0, 4.0]


@pytest.mark.parametrize("wish", ["7", "Wed, 02 Sep 2020 21:00:07 GMT"])
async def test_a_busy_server_is_left_alone_for_as_long_as_it_wants(
    client: ChartClient, server: Server, open_now: Exchange, wish: str
) -> None:
    server.fail(PREFIX + "IBM", Reply("", 429, {"Retry-After": wish}))
    with pytest.raises(RetryableError, match="answers 429 — it is asked again in 7 s"):
        await client.chart("IBM", open_now.session)
    assert client.pause() == 7.0


async def test_pauses_grow_until_it_answers(
    client: ChartClient, server: Server, open_now: Exchange, seconds: Clock
) -> None:
    server.fail(PREFIX + "IBM", Reply("", 500), Reply("", 502), Reply(silent=True))
    waited = []
    for _ in range(3):
        with pytest.raises(RetryableError, match="RISKEE_YAHOO__URL"):
            await client.chart("IBM", open_now.session)
        waited.append(client.pause())
        seconds.now += 1000
    assert waited == [1.0, 2.0, 4.0]
    assert await client.chart("IBM", open_now.session) is not None
    server.fail(PREFIX + "IBM", Reply("", 500))
    with pytest.raises(RetryableError):
        await client.chart("IBM", open_now.session)
    assert client.pause() == 1.0


async def test_requests_that_fail_together_are_one_failure(
    client: ChartClient, server: Server, open_now: Exchange
) -> None:
    for ticker in TICKERS:
        server.fail(PREFIX + ticker, Reply("", 500))
        with pytest.raises(RetryableError):
            await client.chart(ticker, open_now.session)
    assert client.pause() == 1.0
