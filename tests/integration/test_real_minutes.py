"""Real minute bars through the whole live path: 24 tickers on one day of 2019, and LEAN's of 2013. `-rP` prints rates.

The files are not part of the repository; without them the tests are skipped.
"""

import tarfile
from datetime import date
from pathlib import Path
from time import perf_counter

import pytest
from sqlalchemy import Engine, func, select, text

from riskee.clock import SystemClock
from riskee.market.importing import import_file, import_index
from riskee.market.sessions import exchange_sessions
from riskee.market.sources.minute_files import read_session
from riskee.messaging.messages import MODEL_TYPES, Flag
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.sessions import read_sessions
from riskee.storage.tables import predictions, quotes
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.live_data import made_model, promote
from tests.integration.live_processes import live

DATA = REPOSITORY.parent / "shared" / "data" / "intraday"
ARCHIVE = DATA / "eqker_24tickers_1min_15min_daily.tar.gz"
DAY = date(2019, 2, 15)
MARKET = "SPY"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not ARCHIVE.exists(), reason=f"there are no intraday files in {DATA}"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eqker")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "data"


def store(engine: Engine, files: Path) -> None:
    """The daily history of all tickers, and models that learned noise."""
    for file in sorted(files.glob("*_daily.csv")):
        ticker = file.name.removesuffix("_daily.csv")
        read = import_index if ticker in (MARKET, "VIX") else import_file
        read(engine, file, SystemClock(), None, ticker)
    with engine.begin() as connection:
        for model_type in MODEL_TYPES:
            promote(connection, made_model(model_type, valid_until=date(2030, 1, 1)))


def rows(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


async def test_a_day_of_minutes_is_predicted_minute_by_minute(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, files: Path, tmp_path: Path
) -> None:
    store(engine, files)
    with engine.connect() as connection:
        (session,) = read_sessions(connection, DAY, DAY)
    found = read_session(files, session)
    assert len(found.bars) == 24
    assert found.refused == ()
    assert {"VIX: no volume at all", "PPLT: 142 of 390 minutes", "AAPL: the newest row comes first"} <= {*found.notes}
    minutes = {ticker: len(bars) for ticker, bars in found.bars.items()}
    # A ticker without trade in the last minute has its final bar beside its minutes.
    last = max(bars[-1].start for bars in found.bars.values())
    silent = {ticker for ticker, bars in found.bars.items() if bars[-1].start < last}
    expected = sum(minutes.values()) + len(silent)
    predicted = expected - minutes[MARKET] - (MARKET in silent)
    replay = {"FIRST": DAY, "LAST": DAY, "MINUTES": files, "SESSION_SECONDS": 0, "REPEAT": False}
    changes = {f"RISKEE_FEED__REPLAY__{name}": str(value) for name, value in replay.items()}
    with live(database_settings, tmp_path, changes | {"RISKEE_MODEL__MARKET_TICKER": MARKET}) as processes:

        def there() -> bool:
            processes.require_alive()
            return rows(engine, predictions) >= predicted

        await eventually(lambda: rows(engine, quotes) > 0, 60)
        began = perf_counter()
        await eventually(there, 120)
        seconds = perf_counter() - began
    assert rows(engine, quotes) == expected
    with engine.connect() as connection:
        told = connection.execute(select(predictions.c.ticker, predictions.c.data_time, predictions.c.flags)).all()
        final = connection.execute(text("SELECT ticker, volume FROM quotes WHERE final")).all()
    volume = {row.ticker: row.volume for row in final}
    for ticker, moment, flags in told:
        assert Flag.REPLAY in flags
        assert (Flag.PROVISIONAL_BAR in flags) is (moment < session.closes_at), (ticker, moment)
        assert Flag.MARKET_MISSING not in flags
    assert {ticker: sum(bar.volume for bar in bars) for ticker, bars in found.bars.items()} == volume
    print(f"{expected:,} quotes of {len(minutes)} tickers in {seconds:.1f} s: {expected / seconds:,.0f}/s, in lockstep")


def test_leans_minutes_are_read() -> None:
    (session,) = exchange_sessions(date(2013, 10, 7), date(2013, 10, 7))
    found = read_session(DATA / "lean" / "minute", session)
    assert set(found.bars) == {"AIG", "BAC", "IBM", "SPY"}
    assert len(found.bars["SPY"]) == 390
    assert found.refused == ()
    assert found.reach_the_close(session)
    assert 160 < found.bars["SPY"][0].open < 175
