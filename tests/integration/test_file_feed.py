"""The feed of files against real servers: what is appended to a file is on the bus once, whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, select

from riskee.clock import SystemClock
from riskee.errors import FatalError
from riskee.market.sessions import Session
from riskee.messaging.messages import Quote
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import feed_state
from riskee.storage.tickers import TickerInfo, write_tickers
from serving.consumers import ingest
from serving.consumers.feeds.feed import Wave
from serving.consumers.feeds.file import FileFeed
from serving.consumers.service import Service
from serving.database import Database
from serving.health import Health
from tests.integration.conftest import consumer, eventually
from tests.integration.live_data import MARKET, Market, fill
from tests.integration.live_messages import letters, quotes, states
from tests.integration.live_processes import LiveProcesses

pytestmark = pytest.mark.integration
TICKS = "ticker,time,price,size"
BARS = "ticker,time,open,high,low,close,volume"


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection, models=False)


@pytest.fixture
def opens(market: Market) -> datetime:
    return market.sessions[-1].opens_at


def following(settings: Settings, path: Path | None, settle: float = 600) -> Settings:
    file = settings.feed.file.model_copy(update={"path": path, "poll_seconds": 0.02, "settle_seconds": settle})
    return settings.model_copy(update={"feed": settings.feed.model_copy(update={"kind": "file", "file": file})})


def append(path: Path, *lines: str) -> None:
    with path.open("a") as stream:
        stream.write("".join(f"{line}\n" for line in lines))


def tick(moment: datetime, ticker: str, price: float, size: float = 1) -> str:
    return f"{ticker},{moment.isoformat()},{price},{size}"


async def count(bus: Bus, least: int) -> bool:
    return len(await quotes(bus)) >= least


def volumes(found: Sequence[Quote]) -> Mapping[str, float]:
    """The volume of each ticker's newest quote."""
    return {quote.ticker: quote.volume for quote in sorted(found, key=lambda quote: (quote.data_time, quote.sequence))}


async def test_rows_become_quotes_as_they_are_appended(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    file = tmp_path / "ticks.csv"
    append(file, TICKS, tick(opens + timedelta(seconds=1), "IBM", 100), tick(opens + timedelta(seconds=1), MARKET, 9))
    async with consumer("ingest", following(database_settings, file, settle=0.3), ingest.main):
        await eventually(lambda: count(bus, 2))
        append(
            file, tick(opens + timedelta(seconds=2), "IBM", 90, 5), "IBM,now,1,1", "XYZ," + opens.isoformat() + ",1,1"
        )
        with file.open("a") as stream:
            stream.write(tick(opens + timedelta(seconds=3), "IBM", 95, 4)[:-3])
            stream.flush()
            await eventually(lambda: count(bus, 3))
            stream.write("5,4\n")
        # Nothing more comes, and the session is long over: the bars are final.
        await eventually(lambda: count(bus, 6))
    found = await quotes(bus)
    ibm = [(q.open, q.high, q.low, q.price, q.volume, q.final) for q in found if q.ticker == "IBM"]
    assert ibm == [
        (100, 100, 100, 100, 1, False),
        (100, 100, 90, 90, 6, False),
        (100, 100, 90, 95, 10, False),
        (100, 100, 90, 95, 10, True),
    ]
    assert {quote.feed.partition("/")[0] for quote in found} == {"file"}
    assert found[0].ticker == MARKET, "of one moment the market is first"
    assert await states(bus) == ["open", "closed"]
    reasons = sorted(letter.reason for letter in await letters(bus))
    assert "malformed: ticks.csv line 5: it cannot be read" in reasons[0]
    assert "ticks.csv line 6: XYZ is not in the tickers table" in reasons[1]


async def test_kills_lose_and_repeat_nothing(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    file, log = tmp_path / "ticks.csv", tmp_path / "logs"
    log.mkdir()
    append(file, TICKS)
    changes = {"RISKEE_FEED__KIND": "file", "RISKEE_FEED__FILE__PATH": str(file)}
    processes = LiveProcesses(database_settings, log, changes)
    written = 0
    try:
        for _ in range(3):
            processes.start("ingest")
            for _ in range(5):
                rows = [tick(opens + timedelta(seconds=written + n), "IBM", 100 + n, 1) for n in range(40)]
                written += len(rows)
                append(file, *rows)
                await eventually(partial(count, bus, written - 30))
            processes.kill("ingest")
        processes.start("ingest")
        await eventually(lambda: count(bus, written))
    finally:
        processes.stop()
    found = await quotes(bus)
    assert len(found) == written == 600
    assert [quote.volume for quote in found] == [float(n + 1) for n in range(written)]


async def test_a_row_of_the_future_ends_no_session(
    bus: Bus, database_settings: Settings, engine: Engine, tmp_path: Path, market: Market, opens: datetime
) -> None:
    file = tmp_path / "ticks.csv"
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    with engine.begin() as connection:
        write_sessions(connection, [Session(later.date(), later, later + timedelta(hours=6))])
    append(file, TICKS, tick(opens, "IBM", 100), tick(later, "IBM", 1), tick(later, "XYZ", 1))
    append(file, tick(opens + timedelta(seconds=1), "IBM", 101))
    async with consumer("ingest", following(database_settings, file), ingest.main):
        await eventually(lambda: count(bus, 2))
    assert [(quote.price, quote.volume, quote.final) for quote in await quotes(bus)] == [
        (100, 1, False),
        (101, 2, False),
    ]
    assert await states(bus) == ["open"]
    assert sorted("is of the future" in letter.reason for letter in await letters(bus)) == [True, True]


async def test_two_files_are_two_feeds(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    """Else the second one's quotes would be taken for the first one's, said again."""
    for name, price in (("a.csv", 100), ("b.csv", 200)):
        append(tmp_path / name, TICKS, tick(opens, "IBM", price))
        async with consumer("ingest", following(database_settings, tmp_path / name), ingest.main):
            await eventually(lambda price=price: count(bus, price // 100))  # type: ignore[misc]
    found = await quotes(bus)
    assert [quote.price for quote in found] == [100, 200]
    assert len({quote.feed for quote in found}) == 2


async def test_a_ticker_whose_rows_come_late_is_no_fault(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    file = tmp_path / "ticks.csv"
    append(file, TICKS, tick(opens + timedelta(hours=1), "IBM", 100), tick(opens, "AAPL", 50))
    async with consumer("ingest", following(database_settings, file), ingest.main):
        await eventually(lambda: count(bus, 2))
    assert await letters(bus) == []


async def test_a_ticker_that_is_imported_meanwhile_is_let_through(
    bus: Bus,
    database_settings: Settings,
    engine: Engine,
    tmp_path: Path,
    market: Market,
    opens: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serving.consumers.feeds.file._LOOK_AGAIN", timedelta())
    file = tmp_path / "ticks.csv"
    append(file, TICKS, tick(opens, "NEW", 100), tick(opens, "IBM", 100))
    async with consumer("ingest", following(database_settings, file), ingest.main):
        await eventually(lambda: count(bus, 1))
        with engine.begin() as connection:
            write_tickers(connection, [TickerInfo("NEW", "New", is_index=False, source="test")])
        append(file, tick(opens + timedelta(seconds=1), "NEW", 101))
        await eventually(lambda: count(bus, 2))
    assert [quote.ticker for quote in await quotes(bus)] == ["IBM", "NEW"]


async def test_what_has_not_changed_is_not_written_again(
    bus: Bus, database_settings: Settings, engine: Engine, tmp_path: Path, market: Market, opens: datetime
) -> None:
    file = tmp_path / "ticks.csv"
    append(file, TICKS, tick(opens, "IBM", 100))
    written = []
    for _ in range(2):
        async with consumer("ingest", following(database_settings, file), ingest.main) as running:
            await eventually(lambda: count(bus, 1))
            await eventually(lambda: running.health.ready)
        with engine.begin() as connection:
            written.append(connection.execute(select(feed_state.c.updated_at)).scalar_one())
    assert written[0] == written[1]


async def test_what_is_not_on_the_bus_is_told_again(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    """As where the process ends while the bus is away."""
    file = tmp_path / "ticks.csv"
    append(file, TICKS, tick(opens, "IBM", 100), tick(opens + timedelta(seconds=1), "IBM", 101))
    settings = following(database_settings, file)
    database = Database.connect(settings.database)
    told = []
    for _ in range(2):
        service = Service(settings, SystemClock(), Health("ingest"), bus, asyncio.Event())
        async with aclosing(FileFeed(service, database).waves()) as waves:  # type: ignore[type-var]
            async with asyncio.timeout(60):
                told.append([wave.ticks async for wave in first(waves, 3)])
    database.close()
    assert told[0][-1] == told[1][-1]
    assert [made.volume for made in told[1][-1]] == [1, 2]


async def first(waves: AsyncIterator[Wave], count: int) -> AsyncIterator[Wave]:
    """So many waves, of which the last is never on the bus."""
    for _ in range(count):
        yield await anext(waves)


async def test_a_rotated_file_is_finished_before_the_new_one(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    file = tmp_path / "bars.csv"
    rows = [f"IBM,{(opens + timedelta(minutes=n + 1)).isoformat()},10,11,9,10,{n + 1}" for n in range(6)]
    append(file, BARS, *rows[:2])
    async with consumer("ingest", following(database_settings, file), ingest.main):
        await eventually(lambda: count(bus, 2))
        append(file, rows[2])
        file.rename(tmp_path / "bars.csv.1")
        append(file, BARS, rows[3])
        await eventually(lambda: count(bus, 4))
    append(file, rows[4])
    file.rename(tmp_path / "bars.csv.2")
    append(file, BARS, rows[5])
    async with consumer("ingest", following(database_settings, file), ingest.main):
        await eventually(lambda: count(bus, 6))
    assert [quote.volume for quote in await quotes(bus)] == [1, 3, 6, 10, 15, 21]


async def test_the_files_of_a_folder_are_merged_by_time(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    tickers = ("AAPL", "IBM", MARKET)
    for ticker in tickers:
        moments = [opens + timedelta(seconds=10 * n) for n in range(2000)]
        append(tmp_path / f"{ticker}.csv", TICKS, *(tick(moment, ticker, 10) for moment in moments))
    append(tmp_path / "notes.txt", "no rows")
    async with consumer("ingest", following(database_settings, tmp_path), ingest.main):
        await eventually(lambda: settled(bus, 6000), 60)
        line = {"ticker": "MSFT", "time": (opens + timedelta(seconds=20_000)).isoformat(), "price": 7}
        append(tmp_path / "late.jsonl", msgspec.json.encode(line).decode())
        await eventually(lambda: settled(bus, 6001))
    assert await letters(bus) == []
    found = await quotes(bus)
    assert volumes(found) == {**dict.fromkeys(tickers, 2000.0), "MSFT": 0.0}
    assert [quote.data_time for quote in found] == sorted(quote.data_time for quote in found)


async def settled(bus: Bus, least: int) -> bool:
    """Whether so many messages are there, one of them the status."""
    return int((await bus.jetstream.stream_info("MARKET_DATA")).state.messages) >= least + 1


async def test_a_file_that_is_not_there_is_waited_for(
    bus: Bus, database_settings: Settings, tmp_path: Path, market: Market, opens: datetime
) -> None:
    file = tmp_path / "later.csv"
    async with consumer("ingest", following(database_settings, file), ingest.main) as running:
        await eventually(lambda: "later.csv" in str(running.health.report()))
        append(file, TICKS, tick(opens, "IBM", 100))
        await eventually(lambda: count(bus, 1))
        assert running.health.ready


async def test_without_a_path_it_says_what_to_set(bus: Bus, database_settings: Settings) -> None:
    service = Service(following(database_settings, None), SystemClock(), Health("ingest"), bus, asyncio.Event())
    with pytest.raises(FatalError, match="RISKEE_FEED__FILE__PATH"):
        await anext(FileFeed(service, Database.connect(database_settings.database)).waves())
