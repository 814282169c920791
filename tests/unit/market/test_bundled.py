"""The bundled sources, read from small files in the blobs' formats."""

import gzip
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from riskee.blobs import Blobs
from riskee.errors import PoisonError
from riskee.market.sources.bundled import BundledIndex, BundledStocks, earnings_reports, macro_values

STOCKS = b"""Ticker,Date,Open,High,Low,Close,Volume,Adj Close
AAPL,2000-03-01,118.56,132.06,118.50,130.31,9616100,4.17
"""
INDEX = b"""Date,Open,High,Low,Close,Adj Close,Volume
1/4/1999,1229.23,1248.81,1219.10,1228.10,1228.10,877000000
"""
MACRO = b"""year,quarter,realgdp,realcons,realinv,realgovt,realdpi,cpi,m1,tbilrate,unemp,pop,infl,realint
1959,1,2710.349,1707.4,286.898,470.045,1886.9,28.980,139.7,2.82,5.8,177.146,0.00,0.00
1959,4,2785.204,1753.7,299.356,476.434,1931.3,29.370,140.0,4.33,5.6,179.386,0.27,4.06
"""


class FolderBlobs(Blobs):
    """Blobs that are what the test wrote; nothing is fetched or verified."""

    def ensure(self, name: str, progress: object = None) -> Path:
        return self.path(name)

    def write(self, name: str, content: bytes) -> Path:
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(content)
        return self.path(name)


def sample_blobs(home: Path) -> FolderBlobs:
    """One bar of a stock, one of the index, two reports, two quarters."""
    blobs = FolderBlobs(home)
    blobs.write("daily-stocks", gzip.compress(STOCKS))
    blobs.write("sp500-index", gzip.compress(INDEX))
    blobs.write("macrodata", MACRO)
    with closing(sqlite3.connect(blobs.write("earnings-dates", b""))) as connection, connection:
        connection.execute("CREATE TABLE earnings (Ticker TEXT, Earnings_Date TEXT)")
        rows = [("META", "2012-07-26"), ("META", "2012-07-26"), ("IBM", "2012-07-18")]
        connection.executemany("INSERT INTO earnings VALUES (?, ?)", rows)
    return blobs


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return sample_blobs(tmp_path)


def test_stocks_have_raw_prices_a_factor_and_a_name(blobs: FolderBlobs) -> None:
    raw = BundledStocks(blobs).read()
    assert raw.source == "daily-stocks"
    bar = raw.bars.iloc[0]
    assert (bar["ticker"], bar["close"], bar["volume"]) == ("AAPL", 130.31, 9616100.0)
    assert bar["adjustment_factor"] == pytest.approx(4.17 / 130.31)
    assert {info.ticker: info.name for info in raw.tickers}["AAPL"] == "Apple"
    assert not any(info.is_index for info in raw.tickers)


def test_the_index_goes_by_the_market_ticker(blobs: FolderBlobs) -> None:
    raw = BundledIndex(blobs, "SPX").read()
    bar = raw.bars.iloc[0]
    assert (bar["ticker"], bar["session"], bar["adjustment_factor"]) == ("SPX", pd.Timestamp("1999-01-04"), 1.0)
    assert [(info.ticker, info.is_index) for info in raw.tickers] == [("SPX", True)]


def test_a_report_is_known_two_weeks_before_and_a_renamed_company_has_both_names(blobs: FolderBlobs) -> None:
    reports = {(report.ticker, report.report_date): report.known_at for report in earnings_reports(blobs)}
    assert reports == {
        ("META", date(2012, 7, 26)): datetime(2012, 7, 12, tzinfo=UTC),
        ("FB", date(2012, 7, 26)): datetime(2012, 7, 12, tzinfo=UTC),
        ("IBM", date(2012, 7, 18)): datetime(2012, 7, 4, tzinfo=UTC),
    }


def test_a_calendar_that_is_no_database(blobs: FolderBlobs) -> None:
    blobs.write("earnings-dates", b"<html>" * 100)
    with pytest.raises(PoisonError, match="is no database of report dates"):
        earnings_reports(blobs)


def test_macro_values_are_known_a_month_after_their_quarter(blobs: FolderBlobs) -> None:
    values = macro_values(blobs)
    unemployment = [value for value in values if value.series == "unemployment rate"]
    assert len(values) == 24
    assert [(value.period_start, value.value, value.known_at) for value in unemployment] == [
        (date(1959, 1, 1), 5.8, datetime(1959, 5, 1, tzinfo=UTC)),
        (date(1959, 10, 1), 5.6, datetime(1960, 1, 31, tzinfo=UTC)),
    ]
