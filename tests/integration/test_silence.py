"""Silence, halts and closes against real servers: named on the bus and in the cache, and cleared by what ends them."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from nats.aio.msg import Msg
from sqlalchemy import Engine

from riskee.ids import status_id
from riskee.messaging.envelope import Envelope, PayloadT, wrap
from riskee.messaging.messages import Flag, MarketState, MarketStatus, Prediction, Quote
from riskee.messaging.standing import FeedStatus, StaleTickers
from riskee.messaging.statuses import Status
from riskee.messaging.subjects import (
    BEAT,
    MARKET_STATUS,
    PREDICTION_STALE,
    PREDICTION_STATUS,
    PREDICTION_UPDATED,
    QUOTE,
    Subject,
)
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.bus import Bus, codec_of
from riskee.storage.cache import Cache
from serving.consumers import predict
from serving.consumers.announced import Announced
from serving.consumers.service import Service
from serving.consumers.silence import Silence
from serving.consumers.telling import TURN_SECONDS, Telling
from serving.health import Health
from tests.integration.conftest import consumer, eventually, make_streams
from tests.integration.live_data import MARKET, TICKERS, Market, fill
from tests.integration.made_predictions import made, put
from tests.integration.test_predict_service import waves
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration
PAST_QUOTE = msgspec.structs.replace(samples.QUOTE, final=False)


class Heard:
    """All that is said of the numbers, in order."""

    def __init__(self) -> None:
        self.standings: list[FeedStatus] = []
        self.stale: list[StaleTickers] = []
        self.beats: list[FeedStatus] = []
        self.predictions: list[Prediction] = []

    async def attach(self, bus: Bus) -> None:
        await self._listen(bus, PREDICTION_STATUS, self.standings)
        await self._listen(bus, PREDICTION_STALE, self.stale)
        await self._listen(bus, BEAT, self.beats)
        await self._listen(bus, PREDICTION_UPDATED, self.predictions)
        await bus.client.flush()

    @staticmethod
    async def _listen(bus: Bus, subject: Subject[PayloadT], found: list[PayloadT]) -> None:
        async def take(message: Msg) -> None:
            found.append(codec_of(subject).decode(message.data).payload)

        await bus.listen(subject.name, take)

    @property
    def status(self) -> Status | None:
        return self.standings[-1].status if self.standings else None

    @property
    def halted(self) -> tuple[str, ...] | None:
        return self.standings[-1].halted if self.standings else None

    def statuses(self) -> list[Status]:
        """The feed's statuses, each change once."""
        found = [standing.status for standing in self.standings]
        return [status for place, status in enumerate(found) if place == 0 or status is not found[place - 1]]


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


@pytest.fixture
async def heard(bus: Bus) -> Heard:
    heard = Heard()
    await heard.attach(bus)
    return heard


@pytest.fixture
def impatient(database_settings: Settings) -> Settings:
    """A feed is soon mute, yet not before a busy machine has looked at what a quote made of it; no ticker becomes
    stale."""
    feed = database_settings.feed.model_copy(update={"mute_after_seconds": 1.5})
    return database_settings.model_copy(update={"feed": feed})


async def marked(cache: Cache) -> dict[str, str]:
    """The status in the cache beside each ticker's number."""
    found = {}
    for ticker in TICKERS:
        status = await cache._redis.hget(keys.PREDICTION.of(ticker=ticker), "status")
        found[ticker] = status.decode() if isinstance(status, bytes) else ""
    return found


async def all_marked(cache: Cache, status: Status) -> bool:
    return set((await marked(cache)).values()) == {status.value}


def wave(market: Market, number: int, place: int = -30) -> list[Envelope[Quote]]:
    """One wave, received now."""
    return waves(market, place)[number]


async def announce(bus: Bus, state: MarketState, at: datetime, ticker: str | None = None) -> None:
    status = MarketStatus(feed="replay/1", state=state, data_time=at, ticker=ticker, reason="test")
    identity = status_id(status.feed, status.state, status.data_time, ticker or "")
    await bus.publish(
        MARKET_STATUS, wrap(status, message_id=identity, correlation_id=identity, source="test", at=datetime.now(UTC))
    )


async def test_a_mute_feed_is_told_once_for_all_marked_in_the_cache_and_cleared_by_a_quote(
    bus: Bus, cache: Cache, impatient: Settings, market: Market, heard: Heard
) -> None:
    async with consumer("predict", impatient, predict.main):
        await bus.publish(QUOTE, *wave(market, 0))
        await eventually(lambda: len(heard.predictions) == 3)
        await eventually(lambda: heard.status is Status.FEED_MUTE and all_marked(cache, Status.FEED_MUTE))
        assert heard.predictions[0].prediction_time <= heard.standings[-1].since
        told = len(heard.standings)
        assert await cache._redis.ttl(keys.PREDICTION.of(ticker="IBM")) > 0
        await bus.publish(QUOTE, *wave(market, 1))
        await eventually(lambda: len(heard.predictions) == 6)
        await eventually(lambda: heard.standings[told:])
        assert heard.standings[told].status is Status.OK
        assert "feed_mute" not in (await marked(cache)).values()
        await eventually(lambda: heard.status is Status.FEED_MUTE)
    assert heard.statuses()[-3:] == [Status.FEED_MUTE, Status.OK, Status.FEED_MUTE]
    assert heard.stale == [], "no ticker by itself"
    assert await cache._redis.exists(keys.PREDICTION.of(ticker="SPX")) == 0, "what is not cached is not made"


async def test_a_ticker_that_falls_behind_the_others_is_told_by_itself(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    feed = database_settings.feed.model_copy(update={"stale_after_seconds": 2.0})
    async with consumer("predict", database_settings.model_copy(update={"feed": feed}), predict.main):
        await bus.publish(QUOTE, *wave(market, 0))
        await eventually(lambda: len(heard.predictions) == 3)
        # All were silent for so long; a busy machine may notice it of one after the other.
        await eventually(lambda: {ticker for each in heard.stale for ticker in each.tickers} == set(TICKERS))
        told = len(heard.stale)
        await bus.publish(QUOTE, *(each for each in wave(market, 1) if each.payload.ticker not in {"IBM", "MSFT"}))
        await eventually(lambda: all_marked_but(cache, "AAPL", Status.STALE))
        await eventually(lambda: len(heard.stale) > told)
    assert heard.stale[-1].tickers == ("AAPL",), "those who are stale already are not told again"
    assert heard.status is Status.OK


async def all_marked_but(cache: Cache, ticker: str, status: Status) -> bool:
    found = await marked(cache)
    return found.pop(ticker) != status and set(found.values()) == {status.value}


async def test_a_halted_ticker_is_named_flagged_and_free_again(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    opened = market.sessions[-30].opens_at
    async with consumer("predict", database_settings, predict.main):
        await bus.publish(QUOTE, *wave(market, 0))
        await eventually(lambda: len(heard.predictions) == 3)
        await announce(bus, MarketState.HALTED, opened, "IBM")
        await eventually(lambda: heard.halted == ("IBM",))
        await eventually(lambda: halted_is_marked(cache))
        await bus.publish(QUOTE, *wave(market, 1))
        await eventually(lambda: len(heard.predictions) == 6)
        flagged = {each.ticker for each in heard.predictions[3:] if Flag.HALTED in each.flags}
        assert flagged == {"IBM"}, "a quote of a halted ticker gives no unflagged prediction"
        await announce(bus, MarketState.OPEN, opened, "IBM")
        await eventually(lambda: heard.halted == ())
        await bus.publish(QUOTE, *wave(market, 2))
        await eventually(lambda: len(heard.predictions) == 9)
        assert not any(Flag.HALTED in each.flags for each in heard.predictions[6:])
        assert (await marked(cache))["IBM"] != "halted"


async def halted_is_marked(cache: Cache) -> bool:
    found = await marked(cache)
    return found["IBM"] == "halted" and "halted" not in (found["AAPL"], found["MSFT"])


async def test_a_halt_survives_a_restart_and_one_that_came_meanwhile_is_known_before_the_first_prediction(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    opened = market.sessions[-30].opens_at
    async with consumer("predict", database_settings, predict.main):
        await announce(bus, MarketState.HALTED, opened, "IBM")
        await eventually(lambda: heard.halted == ("IBM",))
    await announce(bus, MarketState.HALTED, opened, "MSFT")
    await bus.publish(QUOTE, *wave(market, 0))
    async with consumer("predict", database_settings, predict.main):
        await eventually(lambda: len(heard.predictions) == 3)
    assert {each.ticker for each in heard.predictions if Flag.HALTED in each.flags} == {"IBM", "MSFT"}


async def test_after_the_close_nothing_goes_unflagged_and_the_last_number_is_marked(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    session, following = market.sessions[-30], market.sessions[-29]
    async with consumer("predict", database_settings, predict.main):
        await announce(bus, MarketState.OPEN, session.opens_at)
        await bus.publish(QUOTE, *wave(market, 0))
        await eventually(lambda: len(heard.predictions) == 3)
        assert not any(Flag.SESSION_CLOSED in each.flags for each in heard.predictions)
        # An early close: the feed says so in the middle of the session.
        quotes = wave(market, 1)
        await announce(bus, MarketState.CLOSED, quotes[0].payload.data_time)
        await eventually(lambda: heard.status is Status.SESSION_CLOSED and all_marked(cache, Status.SESSION_CLOSED))
        await bus.publish(QUOTE, *quotes)
        await bus.publish(QUOTE, *wave(market, 3))
        await eventually(lambda: len(heard.predictions) == 9)
        assert all(Flag.SESSION_CLOSED in each.flags for each in heard.predictions[3:])
        assert heard.status is Status.SESSION_CLOSED
        await announce(bus, MarketState.OPEN, following.opens_at)
        await eventually(lambda: heard.status is Status.OK)
        await bus.publish(QUOTE, *wave(market, 0, -29))
        await eventually(lambda: len(heard.predictions) == 12)
        assert not any(Flag.SESSION_CLOSED in each.flags for each in heard.predictions[9:])
        assert "session_closed" not in (await marked(cache)).values()


async def test_predict_says_that_it_lives_and_what_it_answers_for(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, heard: Heard
) -> None:
    async with consumer("predict", database_settings, predict.main):
        await eventually(lambda: len(heard.beats) >= 2)
        assert (await bus.jetstream.stream_info("PREDICTIONS")).state.messages == 1, "the change only is stored"
    assert len(heard.beats[-1].slots) == len(set(heard.beats[-1].slots)) > 0


async def test_without_the_bus_the_cache_is_marked_all_the_same(
    bus: Bus, cache: Cache, impatient: Settings, market: Market, heard: Heard
) -> None:
    async with consumer("predict", impatient, predict.main):
        await bus.publish(QUOTE, *wave(market, 0))
        await eventually(lambda: len(heard.predictions) == 3)
        for stream in ("PREDICTIONS", "MARKET_DATA"):
            await bus.jetstream.delete_stream(stream)
        await eventually(lambda: all_marked(cache, Status.FEED_MUTE))
        await make_streams(bus)
        await eventually(lambda: heard.status is Status.FEED_MUTE)


class Moved:
    """Two clocks that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.began = datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.seconds)


async def test_each_status_is_told_in_the_turn_after_its_cause(
    bus: Bus, cache: Cache, database_settings: Settings, market: Market, engine: Engine, heard: Heard
) -> None:
    """On clocks of the test: a turn is a quarter of a second, and one is taken at once for an announcement."""
    assert TURN_SECONDS < 1
    clock, feed, numbers = Moved(), database_settings.feed, itertools.count(1)
    service = Service(database_settings, clock, Health("predict"), bus, asyncio.Event())
    silence = Silence(feed, Announced(), clock, clock.monotonic, market_ticker=MARKET)
    telling = Telling(service, silence, cache, engine, clock.monotonic)
    await telling.begin()
    await put(cache, *(made(ticker) for ticker in TICKERS))

    async def turns(seconds: float) -> None:
        clock.seconds += seconds
        await telling.turn(looking=True)
        await bus.client.flush()

    async def hear(*tickers: str) -> None:
        at, number = clock.now(), next(numbers)
        quote = msgspec.structs.replace(PAST_QUOTE, received_at=at, sequence=number)
        silence.took([msgspec.structs.replace(quote, ticker=ticker) for ticker in tickers])
        await telling.turn()

    await hear(*TICKERS)
    await turns(feed.mute_after_seconds)
    await eventually(lambda: heard.status is Status.OK)
    await turns(TURN_SECONDS)
    await eventually(lambda: heard.status is Status.FEED_MUTE)
    assert await all_marked(cache, Status.FEED_MUTE)
    await hear(*TICKERS)
    await eventually(lambda: heard.status is Status.OK)
    for _ in range(4):
        await turns(feed.stale_after_seconds / 4)
        await hear("AAPL", "IBM")
    assert heard.stale == []
    await turns(TURN_SECONDS)
    await eventually(lambda: heard.stale)
    assert heard.stale[0].tickers == ("MSFT",)
    assert (await marked(cache))["MSFT"] == "stale"
    await announce(bus, MarketState.HALTED, market.sessions[0].opens_at, "IBM")
    await turns(0)
    await eventually(lambda: heard.halted == ("IBM",))
    assert (await marked(cache))["IBM"] == "halted"
    await announce(bus, MarketState.CLOSED, samples.DATA_TIME)
    await turns(0)
    await eventually(lambda: heard.status is Status.SESSION_CLOSED)
    assert await all_marked(cache, Status.SESSION_CLOSED)
