"""A chart read as the running daily bar."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from riskee.errors import NotFoundError, PoisonError
from riskee.market.session_bar import Snapshot
from riskee.market.sessions import Session
from riskee.market.sources.yahoo_chart import Chart, read_chart, yahoo_symbol

OPENS = datetime(2019, 2, 15, 14, 30, tzinfo=UTC)
SESSION = Session(date(2019, 2, 15), OPENS, OPENS + timedelta(hours=6.5))


def chart(
    told: datetime, starts: list[datetime], rows: list[tuple[Any, ...]], events: object = None, **meta: Any
) -> bytes:
    names = ("open", "high", "low", "close", "volume")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    result = {
        "meta": {"regularMarketTime": int(told.timestamp()), "symbol": "V", **meta},
        "timestamp": [int(start.timestamp()) for start in starts],
        "indicators": {"quote": [columns]},
        **({"events": events} if events else {}),
    }
    return msgspec.json.encode({"chart": {"result": [result], "error": None}})


def minute(number: int) -> datetime:
    return OPENS + timedelta(minutes=number)


def test_the_minutes_make_the_bar_of_the_day() -> None:
    told = minute(2) + timedelta(seconds=7)
    rows = [(10.0, 12.0, 9.0, 11.0, 100), (None, None, None, None, None), (11.0, 11.5, 10.5, 11.25, 50)]
    body = chart(told, [minute(n) for n in range(3)], rows, regularMarketPrice=11.300000190734863)
    assert read_chart(body, SESSION) == Chart(Snapshot(time=told, open=10, high=12, low=9, close=11.3, volume=150))


def test_the_price_may_be_the_newest_extreme_and_the_days_volume_the_greater() -> None:
    body = chart(minute(1), [minute(0)], [(10, 12, 9, 11, 100)], regularMarketPrice=13, regularMarketVolume=170)
    found = read_chart(body, SESSION)
    assert found == Chart(Snapshot(time=minute(1), open=10, high=13, low=9, close=13, volume=170))


def test_what_is_said_after_the_close_bears_the_close() -> None:
    body = chart(SESSION.closes_at + timedelta(minutes=5), [minute(389)], [(10, 12, 9, 11, 100)])
    found = read_chart(body, SESSION)
    assert found is not None
    assert found.bar.time == SESSION.closes_at


def test_another_session_is_none() -> None:
    before = OPENS - timedelta(days=1)
    assert read_chart(chart(before, [before], [(10, 12, 9, 11, 100)]), SESSION) is None
    assert read_chart(chart(minute(0), [], []), SESSION) is None


def test_the_splits_and_dividends_of_the_session_are_read() -> None:
    at, before = int(OPENS.timestamp()), int(OPENS.timestamp()) - 86400
    events = {
        "splits": {str(at): {"date": at, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}},
        "dividends": {str(at): {"date": at, "amount": 0.5}, str(before): {"date": before, "amount": 9.0}},
    }
    found = read_chart(chart(minute(1), [minute(0)], [(10, 12, 9, 11, 100)], events), SESSION)
    assert found is not None
    assert (found.split, found.dividend) == (4.0, 0.5)


def test_an_unknown_symbol_is_named() -> None:
    body = b'{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}'
    with pytest.raises(NotFoundError, match="No data found"):
        read_chart(body, SESSION)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"chart":{"result":[{"meta":{}}]}}', b"\xff"])
def test_what_is_no_chart_is_poison(body: bytes) -> None:
    with pytest.raises(PoisonError, match="cannot be read"):
        read_chart(body, SESSION)


def test_yahoos_names() -> None:
    assert [yahoo_symbol(ticker) for ticker in ("BRK.B", "SPX", "AAPL")] == ["BRK-B", "^GSPC", "AAPL"]
