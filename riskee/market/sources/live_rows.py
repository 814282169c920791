"""Rows of ticks or minute bars as files of live data have them: CSV with a header, or JSON Lines.

A tick is `ticker,time,price` and perhaps `size`; a bar is `ticker,time,open,high,low,close,volume`, where the time is
the end of the minute. Other columns are left out. Times are ISO 8601 with a time zone, prices as traded.
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from riskee.errors import PoisonError
from riskee.market.minutes import Span
from riskee.messaging.messages import TICKER_PATTERN

_TICKER = re.compile(TICKER_PATTERN)
_FORMS = "ticker,time,price[,size] or ticker,time,open,high,low,close,volume"


@dataclass(frozen=True, slots=True)
class LiveRow:
    """What one row says: a span of one trade, or of a minute that ends at `time` (UTC)."""

    ticker: str
    time: datetime
    span: Span
    is_bar: bool


def parse_row(text: bytes, header: str) -> LiveRow:
    """The row of a line. `header` is the file's first line, of which a CSV's columns are read.

    Raises PoisonError for a line that is none.
    """
    try:
        cells = _json_cells(text) if text.lstrip().startswith(b"{") else _csv_cells(text.decode(), header)
        return _row(cells)
    except KeyError as error:
        raise PoisonError(f"there is no {error.args[0]}", f"a row is {_FORMS}") from error
    except (ValueError, OverflowError, RecursionError, msgspec.DecodeError, csv.Error) as error:
        raise PoisonError(f"it cannot be read: {error}", f"a row is {_FORMS}") from error


def _json_cells(text: bytes) -> Mapping[str, object]:
    return msgspec.json.decode(text, type=dict[str, object])


def _csv_cells(text: str, header: str) -> Mapping[str, object]:
    names = [name.strip().lower() for name in next(csv.reader([header]), [])]
    cells = next(csv.reader([text]), [])
    if len(cells) != len(names):
        raise ValueError(f"{len(cells)} cells under {len(names)} names")
    return dict(zip(names, cells, strict=True))


def _row(cells: Mapping[str, object]) -> LiveRow:
    ticker = str(cells["ticker"]).strip().upper()
    if not _TICKER.fullmatch(ticker):
        raise ValueError(f"{ticker[:20]!r} is no ticker")
    time = datetime.fromisoformat(str(cells["time"]))
    if time.tzinfo is None:
        raise ValueError(f"the time {cells['time']} has no time zone")
    is_bar = "price" not in cells
    if is_bar:
        open_, high, low, close, volume = (_number(cells[name]) for name in ("open", "high", "low", "close", "volume"))
    else:
        open_ = high = low = close = _number(cells["price"])
        volume = _number(cells.get("size") or 0)
    span = Span(open=open_, high=high, low=low, close=close, volume=volume).checked()
    return LiveRow(ticker, time.astimezone(UTC), span, is_bar)


def _number(cell: object) -> float:
    number = float(str(cell))
    if not math.isfinite(number):
        raise ValueError(f"{cell} is no finite number")
    return number
