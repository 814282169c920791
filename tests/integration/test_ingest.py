"""ingest against real servers: the replay plays every session once, in order, and goes on after a restart."""

import asyncio
from datetime import UTC, date, datetime, time

import msgspec
import pytest
from sqlalchemy import Engine, delete

from riskee.clock import SystemClock
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import MarketStatus, Quote
from riskee.messaging.streams import stream_of
from riskee.messaging.subjects import DEAD_QUOTE, MARKET_STATUS, QUOTE
from riskee.settings import ReplaySettings, Settings
from riskee.storage.bus import Bus, codec_of
from riskee.storage.feed_state import FeedState, read_feed_state, write_feed_state
from riskee.storage.recording import QUOTES, record
from riskee.storage.replay import end_pass, next_act
from riskee.storage.tables import feed_state, market_data
from serving.consumers import ingest
from serving.consumers.feeds.replay import ReplayFeed
from serving.consumers.service import Service
from serving.database import Database
from tests.integration.conftest import consumer, eventually, make_streams
from tests.integration.live_data import MARKET, TICKERS, Market, fill

pytestmark = pytest.mark.integration
PLAYED = 3
A_SESSION = 4 * (len(TICKERS) + 1)


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection, models=False)


def replaying(settings: Settings, *, seconds: float = 0.0, repeat: bool = False) -> Settings:
    changes = {"sessions": PLAYED, "session_seconds": seconds, "repeat": repeat, "lockstep": False}
    replay = settings.feed.replay.model_copy(update=changes)
    return settings.model_copy(update={"feed": settings.feed.model_copy(update={"replay": replay})})


async def published(bus: Bus) -> tuple[list[Quote], list[MarketStatus]]:
    quotes, statuses = [], []
    state = (await bus.jetstream.stream_info("MARKET_DATA")).state
    for sequence in range(1, state.last_seq + 1):
        message = await bus.jetstream.get_msg("MARKET_DATA", sequence)
        if message.subject == QUOTE.name:
            quotes.append(msgspec.json.decode(message.data or b"", type=Envelope[Quote]).payload)
        if message.subject == MARKET_STATUS.name:
            statuses.append(msgspec.json.decode(message.data or b"", type=Envelope[MarketStatus]).payload)
    return quotes, statuses


async def count(bus: Bus, least: int) -> bool:
    return int((await bus.jetstream.stream_info("MARKET_DATA")).state.messages) >= least


def last_played(engine: Engine) -> tuple[int, date] | None:
    with engine.connect() as connection:
        state = read_feed_state(connection, "replay")
    return None if state is None else (state.pass_number, state.session_date)


async def test_the_last_sessions_are_played_in_order(
    bus: Bus, database_settings: Settings, engine: Engine, market: Market
) -> None:
    last = market.sessions[-1].session_date
    async with consumer("ingest", replaying(database_settings), ingest.main):
        await eventually(lambda: last_played(engine) == (1, last))
    quotes, statuses = await published(bus)
    days = [session.session_date for session in market.sessions[-PLAYED:]]
    assert len(quotes) == PLAYED * A_SESSION
    assert [quote.session_date for quote in quotes] == sorted(quote.session_date for quote in quotes)
    assert {quote.session_date for quote in quotes} == set(days)
    assert {quote.feed for quote in quotes} == {"replay/1"}
    assert [status.state for status in statuses] == ["open", "closed"] * PLAYED
    assert [quote.ticker for quote in quotes[: len(TICKERS) + 1]] == [MARKET, *TICKERS], "the market leads each wave"
    for ticker in (*TICKERS, MARKET):
        for day in days:
            final = [quote for quote in quotes if (quote.ticker, quote.session_date) == (ticker, day)][-1]
            bar = market.bar(ticker, day)
            assert final.final
            assert (final.open, final.high, final.low, final.price, final.volume) == (
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
            )


async def test_a_restart_in_the_middle_of_a_session_repeats_no_quote(
    bus: Bus, database_settings: Settings, engine: Engine, market: Market
) -> None:
    slow = replaying(database_settings, seconds=8)
    async with consumer("ingest", slow, ingest.main):
        await eventually(lambda: count(bus, 1 + len(TICKERS) + 1))
    before, _ = await published(bus)
    assert 0 < len(before) < A_SESSION
    # Recorded quotes are skipped even when the bus would no longer know them.
    record(engine, QUOTES, [_envelope(quote) for quote in before])
    await bus.jetstream.delete_stream("MARKET_DATA")
    await make_streams(bus)
    last = market.sessions[-1].session_date
    async with consumer("ingest", replaying(database_settings), ingest.main):
        await eventually(lambda: last_played(engine) == (1, last))
    after, _ = await published(bus)
    keys = [(quote.ticker, quote.session_date, quote.sequence) for quote in before + after]
    assert len(keys) == len(set(keys)) == PLAYED * A_SESSION


async def test_a_restart_continues_after_the_last_finished_session(
    bus: Bus, database_settings: Settings, engine: Engine, market: Market
) -> None:
    days = [session.session_date for session in market.sessions[-PLAYED:]]
    async with consumer("ingest", replaying(database_settings, seconds=1), ingest.main):
        await eventually(lambda: (last_played(engine) or (0, days[0])) >= (1, days[0]))
        await eventually(lambda: count(bus, A_SESSION + 3 + len(TICKERS) + 1))
    first, _ = await published(bus)
    record(engine, QUOTES, [_envelope(quote) for quote in first])
    # The bus lost all it knew: only the database prevents repetitions.
    await bus.jetstream.delete_stream("MARKET_DATA")
    await make_streams(bus)
    async with consumer("ingest", replaying(database_settings), ingest.main):
        await eventually(lambda: last_played(engine) == (1, days[-1]))
    second, _ = await published(bus)
    assert len(first) + len(second) == PLAYED * A_SESSION
    assert {q.quote_id for q in first}.isdisjoint(q.quote_id for q in second)


async def test_the_replay_starts_over_as_a_new_pass(
    bus: Bus, database_settings: Settings, engine: Engine, market: Market
) -> None:
    async with consumer("ingest", replaying(database_settings, seconds=0.1, repeat=True), ingest.main):
        await eventually(lambda: (last_played(engine) or (0, None))[0] >= 2)
    quotes, _ = await published(bus)
    assert {quote.feed for quote in quotes} >= {"replay/1", "replay/2"}
    assert len({quote.quote_id for quote in quotes}) == len(quotes)


async def test_a_bar_that_gives_no_quotes_is_dead_lettered_and_the_others_are_played(
    bus: Bus, database_settings: Settings, engine: Engine, market: Market
) -> None:
    day, last = market.sessions[-2].session_date, market.sessions[-1].session_date
    bar = market.bar("IBM", day)
    with engine.begin() as connection:
        one = (market_data.c.ticker == "IBM") & (market_data.c.timestamp == datetime.combine(day, time(), UTC))
        # What validation lets pass as rounding.
        low = min(bar.open, bar.close) * (1 + 1e-9)
        assert connection.execute(market_data.update().where(one).values(low=low)).rowcount == 1
    async with consumer("ingest", replaying(database_settings), ingest.main):
        await eventually(lambda: last_played(engine) == (1, last))
    quotes, _ = await published(bus)
    assert len(quotes) == PLAYED * A_SESSION - 4
    assert not [quote for quote in quotes if (quote.ticker, quote.session_date) == ("IBM", day)]
    letter = await bus.jetstream.get_last_msg(stream_of(DEAD_QUOTE.name).name, DEAD_QUOTE.name)
    letters = codec_of(DEAD_QUOTE).decode(letter.data or b"").payload
    assert "malformed: the bar of IBM" in letters.reason
    assert msgspec.json.decode(letters.body)["low"] == low


@pytest.mark.parametrize("state", [None, (1, -2), (1, -1), (3, 0)])
def test_ending_a_pass_begins_the_next(engine: Engine, market: Market, state: tuple[int, int] | None) -> None:
    with engine.begin() as connection:
        if state:
            number, place = state
            day = market.sessions[place].session_date
            write_feed_state(connection, FeedState("replay", number, day, SystemClock().now()))
        settings = ReplaySettings(sessions=PLAYED)
        under_way = next_act(connection, settings)
        end_pass(connection, settings, SystemClock())
        following = next_act(connection, settings)
    assert under_way
    assert following
    assert following.pass_number == under_way.pass_number + 1
    assert following.session == market.sessions[-PLAYED]


async def test_without_history_it_waits_and_says_so(bus: Bus, database_settings: Settings, engine: Engine) -> None:
    async with consumer("ingest", replaying(database_settings), ingest.main) as running:
        await eventually(lambda: "no sessions to replay" in str(running.health.report()))
        with engine.begin() as connection:
            fill(connection, models=False)
        await eventually(lambda: last_played(engine) is not None)
        assert running.health.ready


async def test_a_progress_outside_of_the_window_starts_a_new_pass(
    bus: Bus, database_settings: Settings, engine: Engine, market: Market
) -> None:
    """As after an import of newer history."""
    async with consumer("ingest", replaying(database_settings), ingest.main):
        await eventually(lambda: last_played(engine) == (1, market.sessions[-1].session_date))
    with engine.begin() as connection:
        connection.execute(feed_state.update().values(session_date=market.sessions[0].session_date))
    async with consumer("ingest", replaying(database_settings), ingest.main):
        await eventually(lambda: (last_played(engine) or (0, None))[0] >= 2)
    with engine.begin() as connection:
        connection.execute(delete(feed_state))


def _envelope(quote: Quote) -> Envelope[Quote]:
    return Envelope(quote.quote_id, quote.quote_id, quote.received_at, 1, "test", quote)


async def test_the_pace_is_the_settings(bus: Bus, database_settings: Settings, engine: Engine, market: Market) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with consumer("ingest", replaying(database_settings, seconds=2), ingest.main):
        await eventually(lambda: last_played(engine) is not None)
    # Four waves, half a second apart: the fourth comes after one and a half seconds.
    assert loop.time() - began >= 1.5


async def test_a_session_opens_with_its_first_quotes(
    bus: Bus, database_settings: Settings, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def pace(self: ReplayFeed, moments: int) -> None:
        told.append("pause")

    async def play(service: Service) -> None:
        database = Database.connect(service.settings.database)
        async for wave in ReplayFeed(service, database).waves():
            told.extend([wave.status.state.value] if wave.status else ["quotes"] if wave.ticks else [])
        database.engine.dispose()
        await service.stopping.wait()

    monkeypatch.setattr(ReplayFeed, "_pace", pace)
    session = ["pause", "open", "quotes", *(["pause", "quotes"] * 3), "closed"]
    async with consumer("ingest", replaying(database_settings), play):
        await eventually(lambda: len(told) >= PLAYED * len(session))
    assert told == PLAYED * session
