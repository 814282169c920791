"""The history that comes with the product, from blobs: five stocks, the S&P 500 index, earnings dates, macro series."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd

from riskee.blobs import MANIFEST, Blobs
from riskee.market.frames import RawBars
from riskee.market.sources.columns import canonical_rows, readable_bars
from riskee.market.sources.earnings import read_reports, with_former_names
from riskee.storage.calendar import Report
from riskee.storage.macro import MacroValue
from riskee.storage.tickers import TickerInfo

STOCKS = "daily-stocks"
INDEX = "sp500-index"
EARNINGS = "earnings-dates"
MACRO = "macrodata"

# The first estimate of a quarter's GDP, the last of these series to come out, appears about a month after its end.
MACRO_PUBLISHED = timedelta(days=30)
_NAMES = {
    "AAPL": "Apple",
    "FB": "Facebook",
    "GOOG": "Google",
    "IBM": "International Business Machines",
    "MSFT": "Microsoft",
}


@dataclass(frozen=True)
class BundledStocks:
    """Raw and adjusted daily bars of AAPL, FB (from 2012), GOOG (from 2004), IBM and MSFT, 2000 to 2013."""

    blobs: Blobs

    def read(self) -> RawBars:
        tickers = [TickerInfo(ticker, name, False, STOCKS) for ticker, name in _NAMES.items()]
        return _raw(STOCKS, self.blobs, pd.read_csv(self.blobs.ensure(STOCKS)), tickers)


@dataclass(frozen=True)
class BundledIndex:
    """The S&P 500 index, 1999 to 2018, under the market's ticker."""

    blobs: Blobs
    ticker: str

    def read(self) -> RawBars:
        table = pd.read_csv(self.blobs.ensure(INDEX))
        table["Date"] = pd.to_datetime(table["Date"], format="%m/%d/%Y")
        market = TickerInfo(self.ticker, "S&P 500 index", True, INDEX)
        return _raw(INDEX, self.blobs, table.assign(Ticker=self.ticker), [market])


def earnings_reports(blobs: Blobs) -> list[Report]:
    """The report dates of some 500 companies, 2003 to 2025. Raises PoisonError when the database cannot be read."""
    found = read_reports(blobs.ensure(EARNINGS)).entries
    return with_former_names(replace(report, source=EARNINGS) for report in found)


_DOLLARS = "billions of chained 2005 US dollars, seasonally adjusted annual rate"
# Column: name and unit, as the dataset describes them. The values are those known in late 2009, revisions included.
_MACRO = {
    "realgdp": ("real gross domestic product", _DOLLARS),
    "realcons": ("real personal consumption expenditures", _DOLLARS),
    "realinv": ("real gross private domestic investment", _DOLLARS),
    "realgovt": ("real federal consumption and investment", _DOLLARS),
    "realdpi": ("real disposable personal income", _DOLLARS),
    "cpi": ("consumer price index", "1982 to 1984 = 100, seasonally adjusted, end of quarter"),
    "m1": ("M1 money stock", "billions of US dollars, seasonally adjusted, end of quarter"),
    "tbilrate": ("three-month Treasury bill rate", "percent, average of the quarter"),
    "unemp": ("unemployment rate", "percent, seasonally adjusted"),
    "pop": ("population", "millions, end of quarter"),
    "infl": ("inflation rate", "percent a year"),
    "realint": ("real interest rate", "percent a year"),
}


def macro_values(blobs: Blobs) -> list[MacroValue]:
    """Quarterly series of the United States, 1959 to 2009, each value known 30 days after its quarter's end."""
    with blobs.ensure(MACRO).open(newline="") as stream:
        return list(_macro_rows(csv.DictReader(stream)))


def _macro_rows(rows: "csv.DictReader[str]") -> Iterator[MacroValue]:
    for row in rows:
        start = date(int(row["year"]), 3 * int(row["quarter"]) - 2, 1)
        next_quarter = (start + timedelta(days=92)).replace(day=1)
        known_at = _midnight(next_quarter + MACRO_PUBLISHED)
        for column, (name, unit) in _MACRO.items():
            yield MacroValue(name, start, float(row[column]), unit, known_at, MACRO)


def _raw(name: str, blobs: Blobs, table: pd.DataFrame, tickers: list[TickerInfo]) -> RawBars:
    rows = canonical_rows(table, name)
    bars, notes = readable_bars(rows)
    return RawBars(name, blobs.path(name).name, MANIFEST[name].sha256, rows, bars, tuple(tickers), notes)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
