"""Yahoo's chart of one ticker's session, read without yfinance: what a poll says of the running daily bar."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import prod
from typing import Annotated, Any

import msgspec

from riskee.errors import NotFoundError, PoisonError
from riskee.market.session_bar import Snapshot
from riskee.market.sessions import Session

# Yahoo's symbol of the index that the market's default ticker means.
YAHOO_INDICES = {"SPX": "^GSPC"}
# Yahoo's numbers are 32-bit floats: beyond this digit they are not the price.
_DECIMALS = 4


class _Meta(msgspec.Struct, rename="camel"):
    regular_market_time: int | None = None
    regular_market_price: float | None = None
    regular_market_volume: float | None = None


class _Columns(msgspec.Struct):
    """One number for each minute; none where nothing was traded."""

    open: list[float | None] = []
    high: list[float | None] = []
    low: list[float | None] = []
    close: list[float | None] = []
    volume: list[float | None] = []


class _Indicators(msgspec.Struct):
    quote: list[_Columns]


class _Dividend(msgspec.Struct):
    date: int
    amount: float


class _Split(msgspec.Struct):
    date: int
    numerator: float
    denominator: Annotated[float, msgspec.Meta(gt=0)]


class _Events(msgspec.Struct):
    dividends: dict[str, _Dividend] = {}
    splits: dict[str, _Split] = {}


class _Result(msgspec.Struct):
    meta: _Meta
    indicators: _Indicators
    timestamp: list[int] = []
    events: _Events = msgspec.field(default_factory=_Events)


class _Chart(msgspec.Struct):
    result: list[_Result] | None = None
    error: dict[str, Any] | None = None


class _Answer(msgspec.Struct):
    chart: _Chart


_decoder = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class Chart:
    """The daily bar of a session so far, and what the session began with: new shares for each old one, dollars."""

    bar: Snapshot
    split: float = 1.0
    dividend: float = 0.0


def yahoo_symbol(ticker: str) -> str:
    """What Yahoo calls a ticker: classes of shares have a hyphen, and indices names of their own."""
    return YAHOO_INDICES.get(ticker, ticker.replace(".", "-"))


def read_chart(body: bytes, session: Session) -> Chart | None:
    """What the chart knows of the session, its bar at the time of the last trade; None where the chart tells of
    another session or nothing was traded yet.

    Raises NotFoundError for a symbol that Yahoo does not know, PoisonError for an answer that makes no sense.
    """
    try:
        chart = _decoder.decode(body).chart
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PoisonError(f"Yahoo's answer cannot be read: {error}", "it is asked again") from error
    if chart.error is not None or not chart.result:
        said = (chart.error or {}).get("description", "an empty answer")
        raise NotFoundError(f"Yahoo does not know the symbol: {said}", "check the ticker")
    result = chart.result[0]
    bar = _snapshot(result, session)
    opens, closes = session.opens_at.timestamp(), session.closes_at.timestamp()
    splits = [one.numerator / one.denominator for one in result.events.splits.values() if opens <= one.date <= closes]
    paid = [one.amount for one in result.events.dividends.values() if opens <= one.date <= closes]
    return Chart(bar, prod(splits), sum(paid)) if bar is not None else None


def _snapshot(result: _Result, session: Session) -> Snapshot | None:
    meta, columns = result.meta, result.indicators.quote[0] if result.indicators.quote else _Columns()
    opens, closes = session.opens_at.timestamp(), session.closes_at.timestamp()
    rows = [
        (open_, high, low, close, volume or 0.0)
        for moment, open_, high, low, close, volume in zip(
            result.timestamp, columns.open, columns.high, columns.low, columns.close, columns.volume, strict=False
        )
        if opens <= moment <= closes and open_ and high and low and close
    ]
    told = meta.regular_market_time
    if not rows or told is None or told < opens:
        return None
    price = meta.regular_market_price or rows[-1][3]
    return Snapshot(
        time=datetime.fromtimestamp(min(told, closes), UTC),
        open=round(rows[0][0], _DECIMALS),
        high=round(max(price, *(max(row[:4]) for row in rows)), _DECIMALS),
        low=round(min(price, *(min(row[:4]) for row in rows)), _DECIMALS),
        close=round(price, _DECIMALS),
        volume=max(sum(row[4] for row in rows), meta.regular_market_volume or 0.0),
    )
