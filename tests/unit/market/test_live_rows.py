"""Rows of live files: what they say, and what is wrong with one that says nothing."""

from datetime import UTC, datetime

import pytest

from riskee.errors import PoisonError
from riskee.market.minutes import Span
from riskee.market.sources.live_rows import parse_row

TICK, BAR = "ticker,time,price,size", "time,ticker,open,high,low,close,volume,trades"
NOON = datetime(2019, 2, 15, 17, tzinfo=UTC)


def test_a_tick_of_a_csv() -> None:
    row = parse_row(b"aapl,2019-02-15T12:00:00-05:00,170.5,100", TICK)
    assert (row.ticker, row.time, row.is_bar) == ("AAPL", NOON, False)
    assert row.span == Span(open=170.5, high=170.5, low=170.5, close=170.5, volume=100)


def test_a_bar_of_a_csv_with_more_columns() -> None:
    row = parse_row(b"2019-02-15T17:00:00Z,V,1,3,0.5,2,10,7", BAR)
    assert (row.ticker, row.time, row.is_bar) == ("V", NOON, True)
    assert row.span == Span(open=1, high=3, low=0.5, close=2, volume=10)


def test_lines_of_json() -> None:
    tick = parse_row(b'{"ticker": "V", "time": "2019-02-15T17:00:00Z", "price": 2}', "")
    assert tick.span == Span(open=2, high=2, low=2, close=2, volume=0)
    line = b'{"ticker":"V","time":"2019-02-15T17:00:00Z","open":1,"high":3,"low":1,"close":2,"volume":9}'
    assert parse_row(line, "").is_bar


@pytest.mark.parametrize(
    ("line", "header", "reason"),
    [
        (b"V,2019-02-15T17:00:00Z,1", TICK, "3 cells under 4 names"),
        (b"V,2019-02-15T17:00:00,1,1", TICK, "no time zone"),
        (b"V,yesterday,1,1", TICK, "isoformat"),
        (b"V,2019-02-15T17:00:00Z,nan,1", TICK, "no finite number"),
        (b"V,2019-02-15T17:00:00Z,-1,1", TICK, "not above zero"),
        (b"2019-02-15T17:00:00Z,V,1,3,2.5,2,10,7", BAR, "outside of the minute's range"),
        (b"V,2019-02-15T17:00:00Z", "ticker,time", "there is no open"),
        (b"\xff\xfe", TICK, "cannot be read"),
        (b'{"ticker": "V"', "", "cannot be read"),
        (b"V,1", "", "2 cells under 0 names"),
        (b"V,9999-12-31T23:59:59-05:00,1,1", TICK, "cannot be read"),
        (b'{"ticker":' + b"[" * 100_000, "", "cannot be read"),
        (b"V\0,2019-02-15T17:00:00Z,1,1", TICK, "no ticker"),
        (b'{"ticker": "V\\u0000", "time": "2019-02-15T17:00:00Z", "price": 2}', "", "no ticker"),
    ],
)
def test_what_is_no_row_says_why(line: bytes, header: str, reason: str) -> None:
    with pytest.raises(PoisonError, match=reason):
        parse_row(line, header)
