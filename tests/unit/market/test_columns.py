"""From a file's columns to the canonical ones."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskee.errors import PoisonError
from riskee.market.sources.columns import NOT_ADJUSTED, canonical_rows, readable_bars

ROW: dict[str, Any] = {
    "symbol": "AAPL", "date": "2012-07-02", "open": "10", "high": "11", "low": "9", "close": "10.5", "volume": "1000",
}  # fmt: skip


def read(**cells: Any) -> pd.Series:
    """The only bar of a table with these cells beside or instead of the usual ones; None leaves a column out."""
    row = {name: value for name, value in {**ROW, **cells}.items() if value is not None}
    frame, _ = readable_bars(canonical_rows(pd.DataFrame([row]), "a table"))
    return frame.iloc[0]


@pytest.mark.parametrize("name", ["Adj Close", "adjusted_close", "AdjClose", " ADJ_CLOSE ", "adj.close"])
def test_the_factor_is_adjusted_over_raw_close(name: str) -> None:
    assert read(**{name: "5.25"})["adjustment_factor"] == 0.5


def test_a_factor_given_is_taken() -> None:
    assert read(adjustment_factor=0.25)["adjustment_factor"] == 0.25


def test_without_an_adjusted_close_the_reader_is_told() -> None:
    frame, notes = readable_bars(canonical_rows(pd.DataFrame([ROW]), "a table"))
    assert frame["adjustment_factor"].tolist() == [1.0]
    assert notes == (NOT_ADJUSTED,)


def test_without_an_adjusted_close_the_file_s_own_dividends_and_splits_adjust() -> None:
    """As `adjustment_factors` has it, in order of time whatever the file's; a row told twice counts once."""
    days = ["2012-07-05", "2012-07-05", "2012-07-02", "2012-07-03", "2012-07-03"]
    split, dividend = [2, 2, 1, 1, 1], [0, 0, 0, 1, 0]
    tickers = ["AAPL", "AAPL", "AAPL", "AAPL", "IBM"]
    rows = [
        {**ROW, "symbol": ticker, "date": day, "close": 10, "split": ratio, "dividend": paid}
        for ticker, day, ratio, paid in zip(tickers, days, split, dividend, strict=True)
    ]
    frame, notes = readable_bars(canonical_rows(pd.DataFrame(rows), "a table"))
    assert frame["adjustment_factor"].tolist() == [1.0, 1.0, 0.45, 0.5, 1.0]
    assert notes == ("no adjusted close in it: adjusted by its dividend and split, as if its prices were raw",)
    frame, notes = readable_bars(canonical_rows(pd.DataFrame(rows).drop(columns="split"), "a table"))
    assert frame["adjustment_factor"].tolist() == [1.0, 1.0, 0.9, 1.0, 1.0]
    assert notes == ("no adjusted close in it: adjusted by its dividend, as if its prices were raw",)


def test_a_row_that_cannot_be_read_spoils_no_factor_of_the_others() -> None:
    days = ["2012-07-02", "2012-07-03", "2012-07-05", "soon"]
    rows = [
        {**ROW, "date": day, "close": close, "split": split, "dividend": dividend}
        for day, close, split, dividend in zip(
            days, ["10", "-1", "many", "10"], ["", "2", "x", "3"], ["", "", "y", "1"], strict=True
        )
    ]
    frame, _ = readable_bars(canonical_rows(pd.DataFrame(rows), "a table"))
    assert frame["adjustment_factor"].tolist() == [0.5, 1.0, 1.0, 1.0]


def test_an_empty_dividend_is_none_and_an_unreadable_one_stays_unreadable() -> None:
    frame = pd.DataFrame([{**ROW, "Dividends": "", "Stock Splits": "2"}, {**ROW, "Dividends": "ten"}])
    frame.loc[0, "Dividends"] = np.nan
    bars, _ = readable_bars(canonical_rows(frame, "a table"))
    assert bars["dividend"].fillna(-1).tolist() == [0.0, -1.0]
    assert bars["split"].tolist() == [2.0, 1.0]


@pytest.mark.parametrize("text", ["ten", "1,000", "", "1.0.0", "0x10"])
def test_what_is_no_number_becomes_nan(text: str) -> None:
    assert np.isnan(read(close=text)["close"])


@pytest.mark.parametrize(
    "written",
    [
        "2012-07-02", "2012-07-02 00:00:00", "2012-07-02T00:00:00Z", "2012-07-02 00:00:00-04:00",
        "2012-07-02T00:00:00.000+0530", pd.Timestamp("2012-07-02"), pd.Timestamp("2012-07-02", tz="America/New_York"),
        pd.Timestamp("2012-07-02").date(),
    ],
)  # fmt: skip
def test_a_date_is_the_day_that_is_written(written: Any) -> None:
    assert read(date=written)["session"] == pd.Timestamp("2012-07-02")


def test_a_time_of_day_stays_to_be_refused() -> None:
    assert read(date="2012-07-02T09:30:00-04:00")["session"] == pd.Timestamp("2012-07-02T09:30")


@pytest.mark.parametrize("written", ["7/2/2012", "02.07.2012", "someday", 20120702, 1341187200.0, "2012-02-30"])
def test_a_date_that_could_mean_two_things_is_none(written: Any) -> None:
    assert pd.isna(read(date=written)["session"])


def test_a_ticker_of_digits_is_text() -> None:
    assert read(symbol=7203)["ticker"] == "7203"


def test_missing_columns_are_named() -> None:
    with pytest.raises(PoisonError, match=r"prices\.csv has no column session, volume; it has symbol, open") as caught:
        canonical_rows(pd.DataFrame([{"symbol": "A", "open": 1, "high": 1, "low": 1, "close": 1}]), "prices.csv")
    assert "adjusted_close" in caught.value.remedy


def test_two_columns_of_one_meaning_are_refused() -> None:
    with pytest.raises(PoisonError, match="several columns for ticker: symbol, Ticker"):
        canonical_rows(pd.DataFrame([{**ROW, "Ticker": "AAPL"}]), "prices.csv")
