"""Databases with the bundled history, and with made-up results of the reports, of which it has none."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, text

from riskee.blobs import Blobs
from riskee.clock import FixedClock
from riskee.market.importing import import_bars, import_earnings, import_sessions
from riskee.market.sources.bundled import BundledIndex, BundledStocks
from riskee.settings import Settings
from riskee.storage.calendar import Report, write_reports
from riskee.storage.database import make_engine
from tests.conftest import REPOSITORY, fresh_database

MARKET = "SPX"
TICKERS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
PARAMETERS = {"market_ticker": MARKET}


@contextmanager
def imported(settings: Settings) -> Iterator[Engine]:
    """A database with the bundled history, without features."""
    with fresh_database(settings) as url:
        engine = make_engine(SecretStr(url), 2)
        blobs, clock = Blobs(REPOSITORY / ".riskee"), FixedClock(datetime(2026, 11, 22, tzinfo=UTC))
        import_bars(engine, BundledStocks(blobs), clock)
        import_bars(engine, BundledIndex(blobs, MARKET), clock)
        import_earnings(engine, blobs, clock)
        import_sessions(engine, clock)
        yield engine
        engine.dispose()


@contextmanager
def taken_back(engine: Engine) -> Iterator[Connection]:
    """A transaction that is taken back."""
    with engine.connect() as connection:
        yield connection
        connection.rollback()


@contextmanager
def copied(settings: Settings, engine: Engine) -> Iterator[Engine]:
    """A database with the same rows, dropped at the end; nobody may be connected to the first one meanwhile."""
    engine.dispose()
    with fresh_database(settings, template=str(engine.url.database)) as url:
        copy = make_engine(SecretStr(url), 2)
        yield copy
        copy.dispose()


def make_results(connection: Connection) -> None:
    """Give two reports in three a result, some absurd; of every other one the date is known late, or even after."""
    rng = np.random.default_rng(20121122)
    query = "SELECT ticker, report_date, known_at FROM earnings_calendar WHERE ticker = ANY(:tickers) ORDER BY 1, 2"
    found = connection.execute(text(query), {"tickers": list(TICKERS)}).all()
    results = []
    for ticker, day, known_at in found:
        estimate = round(rng.normal(0.5, 1), 2)
        off = rng.choice([0, 0.05, -0.3, 20])
        late = timedelta(hours=int(rng.integers(40 * 24))) * int(rng.integers(2))
        reported = estimate + off if rng.random() < 2 / 3 else None
        results.append(Report(ticker, day, known_at + late, "made", estimate, reported))
    connection.execute(text("DELETE FROM earnings_calendar WHERE ticker = ANY(:tickers)"), {"tickers": list(TICKERS)})
    write_reports(connection, results)
