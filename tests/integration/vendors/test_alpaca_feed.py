"""Alpaca's live feed end to end: the vendor's server, ingest, the bus, record, the stored quotes."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pandas as pd
import pytest
from sqlalchemy import Engine, select

from riskee.clock import SystemClock
from riskee.errors import FatalError
from riskee.market.minutes import MINUTE, MinuteBar, floor, join
from riskee.market.sessions import Session
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import MarketState, MarketStatus, Quote
from riskee.messaging.subjects import MARKET_STATUS, QUOTE
from riskee.settings import AlpacaSettings, Settings
from riskee.storage.bars import upsert_bars
from riskee.storage.bus import Bus
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import quotes as quotes_table
from riskee.storage.tickers import TickerInfo, write_tickers
from serving.consumers import ingest
from serving.consumers import record as recorder
from serving.consumers.service import serve
from tests.integration.conftest import TICKERS, Running, consumer, eventually
from tests.integration.test_processes import free_port, start
from tests.integration.vendors.alpaca_market import (
    AlpacaMarket,
    alpaca_market,
    cancel_message,
    correction_message,
    full_minutes,
    minute,
    minute_message,
    status_message,
    trade_message,
)
from tests.integration.vendors.listings import SECRET
from tests.integration.vendors.server import Reply, Request
from tests.unit.market.frames import bars

pytestmark = pytest.mark.integration
FEED = "alpaca/iex"


@dataclass
class MovedClock:
    """The machine's clock, moved by the test."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead

    def move_to(self, moment: datetime) -> None:
        self.ahead += moment - self.now()


@dataclass
class Scene:
    """A session of the exchange that began half an hour ago, and all that is said of it."""

    market: AlpacaMarket
    bus: Bus
    engine: Engine
    plain: Settings
    opens_at: datetime
    clock: MovedClock
    seen: int = 0
    quotes: list[Quote] = field(default_factory=list)
    statuses: list[MarketStatus] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.with_alpaca()

    @property
    def environ(self) -> dict[str, str]:
        """The same, for a process of its own."""
        alpaca = self.market.settings
        stream = alpaca.pop("stream")
        return {
            "RISKEE_FEED__KIND": "alpaca",
            "RISKEE_DATABASE__URL": self.plain.database.url.get_secret_value(),
            **{f"RISKEE_ALPACA__{name.upper()}": str(value) for name, value in alpaca.items()},
            **{f"RISKEE_ALPACA__STREAM__{name.upper()}": str(value) for name, value in stream.items()},
        }

    def with_alpaca(self, **changed: Any) -> Settings:
        alpaca = AlpacaSettings.model_validate(self.market.settings | changed)
        feed = self.plain.feed.model_copy(update={"kind": "alpaca"})
        return self.plain.model_copy(update={"alpaca": alpaca, "feed": feed})

    def until(self, closes_at: datetime, following: datetime | None = None) -> None:
        """Let the session close then, and another one follow, tomorrow if no other time is given."""
        today = Session(self.opens_at.date(), self.opens_at, closes_at)
        day = timedelta(days=1)
        opens_at = following or today.opens_at + day
        tomorrow = Session(today.session_date + day, opens_at, opens_at + timedelta(hours=6))
        with self.engine.begin() as connection:
            write_sessions(connection, [today, tomorrow])

    async def read(self) -> None:
        """What was published since the last call."""
        last = (await self.bus.jetstream.stream_info("MARKET_DATA")).state.last_seq
        for sequence in range(self.seen + 1, last + 1):
            message = await self.bus.jetstream.get_msg("MARKET_DATA", sequence)
            body = message.data or b""
            if message.subject == QUOTE.name:
                self.quotes.append(msgspec.json.decode(body, type=Envelope[Quote]).payload)
            if message.subject == MARKET_STATUS.name:
                self.statuses.append(msgspec.json.decode(body, type=Envelope[MarketStatus]).payload)
        self.seen = last

    async def last(self, ticker: str) -> Quote | None:
        await self.read()
        return next((quote for quote in reversed(self.quotes) if quote.ticker == ticker), None)

    async def becomes(self, ticker: str, expected: Sequence[float]) -> Quote:
        """Wait until a ticker's running bar is this."""

        async def reached() -> bool:
            quote = await self.last(ticker)
            return quote is not None and bar_of(quote) == tuple(expected)

        try:
            await eventually(reached)
        except TimeoutError:
            found = await self.last(ticker)
            raise AssertionError(f"{found and bar_of(found)} is not {expected}") from None
        quote = await self.last(ticker)
        assert quote is not None
        return quote

    def whole(self, ticker: str) -> tuple[float, ...]:
        """The bar that all minutes of the vendor's history make."""
        span = join(bar for _, bar in sorted(self.market.history.minutes[ticker].items()))
        assert span is not None
        return span.open, span.high, span.low, span.close, span.volume


@pytest.fixture
def clock() -> MovedClock:
    """It begins at noon in UTC, so that no session crosses midnight."""
    clock = MovedClock()
    clock.move_to(clock.now().replace(hour=12, minute=0, second=30, microsecond=0))
    return clock


@pytest.fixture
async def scene(bus: Bus, engine: Engine, known: Settings, clock: MovedClock) -> AsyncIterator[Scene]:
    """Three tickers with a bar in every minute that is over; the session goes on for an hour."""
    now = clock.now()
    async with alpaca_market() as market:
        scene = Scene(market, bus, engine, known, floor(now) - 30 * MINUTE, clock)
        scene.until(now + timedelta(hours=1))
        for number, ticker in enumerate(TICKERS):
            for n, start in enumerate(full_minutes(scene.opens_at, now)):
                market.history.add(ticker, minute(start, 100.0 * (number + 1) + n))
        yield scene


def ingesting(scene: Scene, settings: Settings | None = None) -> AbstractAsyncContextManager[Running]:
    return consumer("ingest", settings or scene.settings, ingest.main, scene.clock)


def recording(scene: Scene) -> AbstractAsyncContextManager[Running]:
    return consumer("record", scene.settings, recorder.main, scene.clock)


def bar_of(quote: Quote) -> tuple[float, ...]:
    return quote.open, quote.high, quote.low, quote.price, quote.volume


def newest(scene: Scene, ticker: str) -> MinuteBar:
    return max(scene.market.history.minutes[ticker].values(), key=lambda bar: bar.start)


async def test_a_session_from_the_open_to_the_stored_daily_bars(scene: Scene) -> None:
    stream, history = scene.market.stream, scene.market.history
    closes_at = scene.clock.now() + timedelta(hours=1)
    scene.until(closes_at)
    history.days = {
        ticker: {"t": f"{scene.opens_at.date()}T05:00:00Z", "o": 10.0 + n, "h": 30.0, "l": 5.0, "c": 20.0, "v": 1e6 + n}
        for n, ticker in enumerate(TICKERS)
    }
    async with recording(scene), ingesting(scene) as running:
        for ticker in TICKERS:
            await scene.becomes(ticker, scene.whole(ticker))
        assert running.health.ready
        assert "minute bars of 3; halts of 3; trades of 3" in str(running.health.report())
        moment = scene.clock.now()
        open_, high, low, close, volume = scene.whole("AAPL")
        await stream.push(
            trade_message("AAPL", 1, moment, 900.0, 10),
            trade_message("AAPL", 2, moment + timedelta(milliseconds=1), close, 5),
            trade_message("AAPL", 3, moment + timedelta(milliseconds=2), 999.0, 5, "@I"),
        )
        await scene.becomes("AAPL", (open_, 900.0, low, close, volume + 20))
        await stream.push(cancel_message("AAPL", 1, moment + timedelta(milliseconds=9)))
        await scene.becomes("AAPL", (open_, high, low, close, volume + 10))
        await stream.push(correction_message("AAPL", 2, 4, moment + timedelta(milliseconds=10), 1.0, 7))
        await scene.becomes("AAPL", (open_, high, 1.0, 1.0, volume + 12))
        await stream.push(
            status_message("IBM", "H", moment, "News pending"), status_message("IBM", "T", moment + MINUTE)
        )
        await told(scene, MarketState.OPEN, "IBM")
        scene.clock.move_to(closes_at + MINUTE)
        await stored_finals(scene)
    await scene.read()
    assert_in_order(scene.quotes)
    assert [(status.ticker, status.state) for status in scene.statuses] == [
        (None, MarketState.OPEN),
        ("IBM", MarketState.HALTED),
        ("IBM", MarketState.OPEN),
        (None, MarketState.CLOSED),
    ]
    assert scene.statuses[1].reason == "News pending"


async def told(scene: Scene, state: MarketState, ticker: str | None = None) -> None:
    """Wait until the last state that was told of a ticker, or of the session, is this."""

    async def reached() -> bool:
        await scene.read()
        return [status.state for status in scene.statuses if status.ticker == ticker][-1:] == [state]

    await eventually(reached)


async def stored_finals(scene: Scene) -> None:
    """Wait until the last stored quote of each ticker is the vendor's bar of the day; nothing is stored twice."""

    def rows() -> list[Any]:
        with scene.engine.connect() as connection:
            return list(connection.execute(select(quotes_table).order_by(quotes_table.c.received_at)))

    await eventually(lambda: sum(row.final for row in rows()) == len(TICKERS))
    await scene.read()
    stored = rows()
    assert {row.quote_id for row in stored} == {quote.quote_id for quote in scene.quotes}
    assert len({row.quote_id for row in stored}) == len(stored)
    for ticker in TICKERS:
        last = [row for row in stored if row.ticker == ticker][-1]
        day = scene.market.history.days[ticker]
        assert (last.open, last.high, last.low, last.price, last.volume) == tuple(day[name] for name in "ohlcv")
        assert (last.final, last.feed) == (True, FEED)


def assert_in_order(quotes: Sequence[Quote]) -> None:
    for ticker in TICKERS:
        places = [(quote.data_time, quote.sequence) for quote in quotes if quote.ticker == ticker]
        assert places == sorted(set(places))


async def test_what_was_missed_is_filled_before_the_live_data_go_on(scene: Scene) -> None:
    stream, history = scene.market.stream, scene.market.history
    async with ingesting(scene) as running:
        await scene.becomes("IBM", scene.whole("IBM"))
        before = newest(scene, "IBM")
        missed = minute(before.start, 50.0, 7777.0, revision=1)
        live = minute(floor(scene.clock.now()), 500.0, 33.0)
        quick = scene.market.rest.answer
        pushing: list[asyncio.Future[None]] = []

        def slow(request: Request) -> Reply:
            time.sleep(0.3)
            return quick(request)

        def subscribed() -> None:
            # The connection speaks before the history does.
            pushing.append(asyncio.ensure_future(stream.push(minute_message("IBM", live))))

        scene.market.rest.answer, stream.on_subscribed = slow, subscribed
        history.add("IBM", missed)
        stream.drop()
        await eventually(lambda: stream.logins == 2)
        history.add("IBM", live)
        await scene.becomes("IBM", scene.whole("IBM"))
        assert running.health.ready
    alone = [quote for quote in scene.quotes if quote.high == live.high and quote.low != missed.low]
    assert alone == [], "live data were published before the gap was filled"
    assert_in_order(scene.quotes)
    assert history.asked[-1]["timeframe"] == "1Min"
    assert datetime.fromisoformat(history.asked[-1]["start"]) > scene.opens_at, "only what was missed is asked for"


async def test_a_split_of_the_day_is_in_the_factor(scene: Scene) -> None:
    day, yesterday = scene.opens_at.date(), scene.opens_at.date() - timedelta(days=1)
    stored = bars(("IBM",)).tail(1).assign(session=pd.Timestamp(yesterday), source="made", known_at=scene.opens_at)
    with scene.engine.begin() as connection:
        upsert_bars(connection, stored)
    split = {"symbol": "IBM", "ex_date": f"{day}", "new_rate": 4, "old_rate": 1}
    scene.market.history.actions = {"forward_splits": [split]}
    async with ingesting(scene):
        quote = await scene.becomes("IBM", scene.whole("IBM"))
        other = await scene.becomes("AAPL", scene.whole("AAPL"))
    assert (quote.adjustment_factor, other.adjustment_factor) == (0.5 * 4, 1.0)


async def test_the_market_leads_each_wave_and_is_subscribed_first(scene: Scene) -> None:
    market = scene.settings.model.model_copy(update={"market_ticker": "MSFT"})
    settings = scene.settings.model_copy(update={"model": market})
    scene.market.stream.limits = {"trades": 1}
    async with ingesting(scene, settings):
        await scene.becomes("AAPL", scene.whole("AAPL"))
        await scene.read()
        assert [quote.ticker for quote in scene.quotes[:3]] == ["MSFT", "AAPL", "IBM"]
        assert scene.market.stream.clients[0].channels["trades"] == {"MSFT"}


async def test_what_the_history_did_not_have_yet_is_fetched_soon_after(scene: Scene) -> None:
    """The bar of a minute that ended while we came: too late for the stream, too early for the history."""
    stream, history = scene.market.stream, scene.market.history
    last = newest(scene, "IBM")
    del history.minutes["IBM"][last.start]
    async with ingesting(scene):
        await scene.becomes("IBM", scene.whole("IBM"))
        history.add("IBM", last)
        await scene.becomes("IBM", scene.whole("IBM"))
    assert stream.logins == 1


async def test_of_a_ticker_that_the_history_refuses_nothing_is_confirmed(scene: Scene) -> None:
    """A minute without a bar says that nothing was traded only where the vendor was willing to say so."""
    stream, history, answer = scene.market.stream, scene.market.history, scene.market.rest.answer

    def without_ibm(request: Request) -> Reply:
        return Reply("", 400) if "IBM" in request.query.get("symbols", "") else answer(request)

    scene.market.rest.answer = without_ibm
    settings = scene.with_alpaca(stream=scene.market.settings["stream"] | {"settle_seconds": 2.0})
    async with ingesting(scene, settings):
        await scene.becomes("AAPL", scene.whole("AAPL"))
        traded = scene.opens_at + timedelta(seconds=1)
        await stream.push(trade_message("IBM", 1, traded, 77.0, 5))
        await scene.becomes("IBM", (77.0, 77.0, 77.0, 77.0, 5.0))
        # The edge of the gap is fetched again.
        history.add("AAPL", minute(newest(scene, "AAPL").start, 300.0, 5000.0))
        await scene.becomes("AAPL", scene.whole("AAPL"))
    assert {quote.data_time for quote in scene.quotes if quote.ticker == "IBM"} == {traded}


async def test_a_half_open_connection_is_made_again(scene: Scene) -> None:
    stream = scene.market.stream
    settings = scene.with_alpaca(stream=scene.market.settings["stream"] | {"ping_seconds": 0.5})
    async with ingesting(scene, settings) as running:
        await scene.becomes("IBM", scene.whole("IBM"))
        stream.connections = 2
        before = stream.logins
        stream.go_deaf()
        await eventually(lambda: stream.logins > before)
        await eventually(lambda: running.health.ready)
        live = minute(floor(scene.clock.now()), 500.0)
        scene.market.history.add("IBM", live)
        await stream.clients[-1].say(minute_message("IBM", live))
        await scene.becomes("IBM", scene.whole("IBM"))


async def test_a_taken_connection_is_waited_for(scene: Scene) -> None:
    stream = scene.market.stream
    stream.connections = 0
    async with ingesting(scene) as running:
        await eventually(lambda: "end what else uses the key" in str(running.health.report()))
        assert not running.health.ready
        stream.connections = 1
        await scene.becomes("IBM", scene.whole("IBM"))
        assert running.health.ready


@pytest.mark.parametrize("changed", [{"secret_key": "wrong"}, {"key_id": None}])
async def test_without_the_right_key_the_process_ends_and_says_why(scene: Scene, changed: dict[str, Any]) -> None:
    settings = scene.with_alpaca(**changed)
    quiet = settings.model_copy(update={"metrics": settings.metrics.model_copy(update={"ingest_port": 0})})
    said = ""
    try:
        await asyncio.wait_for(
            serve("ingest", quiet, ingest.main, clock=scene.clock, stopping=asyncio.Event()), timeout=60
        )
    except* FatalError as group:
        said = repr(group)
    assert "RISKEE_ALPACA__SECRET_KEY" in said


async def test_without_the_history_nothing_is_published(scene: Scene) -> None:
    stream = scene.market.stream
    answer = scene.market.rest.answer
    scene.market.rest.answer = lambda request: answer(request) if "actions" in request.path else Reply("", 503)
    async with ingesting(scene) as running:
        await eventually(lambda: "Alpaca answers 503" in str(running.health.report()))
        moment = scene.clock.now()
        live = minute(floor(moment) - MINUTE, 1.0, revision=1)
        # What is told of trading waits for nothing. When the second word is out, the minute before the first one was
        # looked at, and would be out too.
        await stream.push(minute_message("IBM", live), status_message("IBM", "H", moment))
        await told(scene, MarketState.HALTED, "IBM")
        await stream.push(status_message("IBM", "T", moment + MINUTE))
        await told(scene, MarketState.OPEN, "IBM")
        assert scene.quotes == []
        scene.market.history.add("IBM", live)
        scene.market.rest.answer = answer
        quote = await scene.becomes("IBM", scene.whole("IBM"))
        assert quote.low == live.low


async def test_a_correction_of_a_trade_from_before_we_came_is_fetched(scene: Scene) -> None:
    stream, history = scene.market.stream, scene.market.history
    async with ingesting(scene):
        before = await scene.becomes("IBM", scene.whole("IBM"))
        wrong = newest(scene, "IBM")
        history.add("IBM", minute(wrong.start, 150.0, 1.0))
        await stream.push(cancel_message("IBM", 77, scene.clock.now()))
        after = await scene.becomes("IBM", scene.whole("IBM"))
        assert after.volume < before.volume
        assert after.high < before.high


async def stored(scene: Scene) -> None:
    """Wait until all that was published is recorded."""
    await scene.read()

    def all_rows() -> bool:
        with scene.engine.connect() as connection:
            return len(connection.execute(select(quotes_table)).all()) == len(scene.quotes)

    await eventually(all_rows)


async def test_a_restart_goes_on_after_the_last_quote(scene: Scene) -> None:
    async with recording(scene):
        async with ingesting(scene):
            await scene.becomes("IBM", scene.whole("IBM"))

        await stored(scene)
        first = len(scene.quotes)
        added = minute(newest(scene, "IBM").start, 900.0, 500.0, revision=1)
        scene.market.history.add("IBM", added)
        async with ingesting(scene):
            await scene.becomes("IBM", scene.whole("IBM"))
    assert_in_order(scene.quotes)
    assert len({quote.quote_id for quote in scene.quotes}) == len(scene.quotes)
    again = [bar_of(quote) for quote in scene.quotes[first:] if quote.ticker == "AAPL"]
    assert len(again) <= 1, "what was told before is told again"


@pytest.mark.parametrize("clock", [MovedClock()])
async def test_a_killed_process_leaves_no_hole_and_says_nothing_twice(scene: Scene, clock: MovedClock) -> None:
    assert not clock.ahead, "a process of its own has the machine's clock"
    environ = scene.environ | {"RISKEE_METRICS__INGEST_PORT": str(free_port()), "RISKEE_LOG_LEVEL": "DEBUG"}
    async with recording(scene):
        first = start("serving.consumers.ingest", scene.plain, **environ)
        try:
            await scene.becomes("IBM", scene.whole("IBM"))
            first.kill()
            first.communicate()
            scene.market.history.add("IBM", minute(newest(scene, "IBM").start, 900.0, 500.0, revision=1))
            await stored(scene)
            second = start("serving.consumers.ingest", scene.plain, **environ)
            try:
                await scene.becomes("IBM", scene.whole("IBM"))
                second.terminate()
                output, _ = await asyncio.to_thread(second.communicate, timeout=60)
            finally:
                second.kill()
        finally:
            first.kill()
    assert second.returncode == 0
    assert SECRET not in output
    assert_in_order(scene.quotes)
    assert len({quote.quote_id for quote in scene.quotes}) == len(scene.quotes)


async def test_what_comes_faster_than_it_can_be_published_is_one_quote(scene: Scene) -> None:
    stream = scene.market.stream
    count = 400
    settings = scene.with_alpaca(stream=scene.market.settings["stream"] | {"publish_seconds": 0.25})
    async with ingesting(scene, settings):
        open_, high, low, _, volume = bar_of(await scene.becomes("IBM", scene.whole("IBM")))
        before, moment = len(scene.quotes), scene.clock.now()
        for number in range(count):
            place = moment + timedelta(microseconds=number)
            await stream.push(trade_message("IBM", number, place, 150.0 + number / 100, 1))
        last = 150.0 + (count - 1) / 100
        await scene.becomes("IBM", (open_, max(high, last), min(low, 150.0), last, volume + count))
    assert len(scene.quotes) - before < count / 4


def tomorrow(scene: Scene) -> datetime:
    """The session was over five minutes ago; answers when the next one opens."""
    opens_at = scene.opens_at + timedelta(days=1)
    scene.until(scene.clock.now() - timedelta(minutes=5), following=opens_at)
    return opens_at


async def test_the_next_session_begins_anew(scene: Scene) -> None:
    opens_at = tomorrow(scene)
    async with ingesting(scene):
        await told(scene, MarketState.CLOSED)
        scene.clock.move_to(opens_at)
        await told(scene, MarketState.OPEN)
        await scene.market.stream.push(trade_message("IBM", 1, opens_at + timedelta(seconds=1), 77.0, 5))
        quote = await scene.becomes("IBM", (77.0, 77.0, 77.0, 77.0, 5.0))
    assert quote.session_date == scene.opens_at.date() + timedelta(days=1)
    assert [status.state for status in scene.statuses] == ["open", "closed", "open"]
    assert scene.statuses[-1].data_time == opens_at


async def test_a_session_that_opened_while_nobody_could_connect_is_fetched_from_its_open(scene: Scene) -> None:
    opens_at, stream, history = tomorrow(scene), scene.market.stream, scene.market.history
    stream.refusal = 500, "internal error"
    async with ingesting(scene):
        await told(scene, MarketState.CLOSED)
        scene.clock.move_to(opens_at + 10 * MINUTE)
        await told(scene, MarketState.OPEN)
        history.minutes = {"IBM": {start: minute(start, 50.0) for start in full_minutes(opens_at, scene.clock.now())}}
        stream.refusal = None
        await scene.becomes("IBM", scene.whole("IBM"))
    assert len(history.minutes["IBM"]) == 10


async def test_a_ticker_that_came_to_the_database_is_subscribed_when_the_next_session_begins(scene: Scene) -> None:
    opens_at = tomorrow(scene)
    async with ingesting(scene):
        await told(scene, MarketState.CLOSED)
        with scene.engine.begin() as connection:
            write_tickers(connection, [TickerInfo("ORCL", "Oracle", is_index=False, source="made")])
        scene.clock.move_to(opens_at + 2 * MINUTE)
        scene.market.history.add("ORCL", minute(opens_at, 5.0))
        quote = await scene.becomes("ORCL", scene.whole("ORCL"))
        assert scene.market.stream.clients[-1].channels["bars"] == {*TICKERS, "ORCL"}
    assert quote.session_date == opens_at.date()


async def test_a_history_that_is_away_holds_up_neither_the_close_nor_the_next_day(scene: Scene) -> None:
    closes_at = scene.clock.now() + timedelta(hours=1)
    scene.until(closes_at)
    answer, days = scene.market.rest.answer, scene.market.history.days
    ours = scene.whole("IBM")

    def without_days(request: Request) -> Reply:
        return Reply("", 503) if request.query.get("timeframe") == "1Day" else answer(request)

    scene.market.rest.answer = without_days
    async with ingesting(scene) as running:
        await scene.becomes("IBM", ours)
        scene.clock.move_to(closes_at + 4 * MINUTE)
        await eventually(lambda: "Alpaca answers 503" in str(running.health.report()))
        assert not any(quote.final for quote in scene.quotes)
        scene.clock.move_to(closes_at + 10 * MINUTE)
        await told(scene, MarketState.CLOSED)
        quote = await scene.becomes("IBM", ours)
        assert (quote.final, quote.data_time) == (True, closes_at)
        days["IBM"] = {"t": f"{scene.opens_at.date()}T05:00:00Z", "o": 10.0, "h": 30.0, "l": 5.0, "c": 20.0, "v": 1e6}
        scene.market.rest.answer = answer
        quote = await scene.becomes("IBM", (10.0, 30.0, 5.0, 20.0, 1e6))
        assert (quote.final, quote.data_time, quote.sequence) == (True, closes_at, 1)
        scene.market.rest.answer = without_days
        scene.clock.move_to(scene.opens_at + timedelta(days=1))
        await told(scene, MarketState.OPEN)


async def test_what_is_corrected_while_corrections_are_fetched_is_fetched_again(scene: Scene) -> None:
    stream, history, answer = scene.market.stream, scene.market.history, scene.market.rest.answer
    loop = asyncio.get_running_loop()
    pushing: list[Future[None]] = []

    def slow(request: Request) -> Reply:
        reply = answer(request)
        if not pushing:
            # The history changes just after it has answered, and the stream says so before the answer arrives.
            history.add("IBM", minute(wrong.start, 140.0, 2.0))
            push = stream.push(cancel_message("IBM", 78, scene.clock.now()))
            pushing.append(asyncio.run_coroutine_threadsafe(push, loop))
            pushing[0].result(60)
            time.sleep(0.3)
        return reply

    async with ingesting(scene):
        await scene.becomes("IBM", scene.whole("IBM"))
        wrong = newest(scene, "IBM")
        asked = len(history.asked)
        await eventually(lambda: len(history.asked) > asked)
        history.add("IBM", minute(wrong.start, 150.0, 1.0))
        scene.market.rest.answer = slow
        await stream.push(cancel_message("IBM", 77, scene.clock.now()))
        await eventually(lambda: pushing)
        await scene.becomes("IBM", scene.whole("IBM"))


async def test_after_the_close_the_bars_of_the_day_are_told_at_once(scene: Scene) -> None:
    scene.until(scene.clock.now() - timedelta(minutes=5))
    scene.market.history.days = {
        ticker: {"t": f"{scene.opens_at.date()}T05:00:00Z", "o": 10.0, "h": 30.0, "l": 5.0, "c": 20.0, "v": 1e6}
        for ticker in TICKERS[:2]
    }
    scene.market.stream.connections = 0
    async with ingesting(scene):
        for ticker in TICKERS[:2]:
            quote = await scene.becomes(ticker, (10.0, 30.0, 5.0, 20.0, 1e6))
            assert quote.final
        assert await scene.last(TICKERS[2]) is None
    assert [status.state for status in scene.statuses] == [MarketState.OPEN, MarketState.CLOSED]
