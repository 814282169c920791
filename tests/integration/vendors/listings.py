"""Made-up listings with a split and a dividend, and what each vendor makes of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import prod
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from tests.integration.vendors.server import Reply, Request

NEW_YORK = ZoneInfo("America/New_York")
DAYS = tuple(
    map(date.fromisoformat, ("2020-08-26", "2020-08-27", "2020-08-28", "2020-08-31", "2020-09-01", "2020-09-02"))
)
# After the close of the last of them.
NOW = datetime(2020, 9, 2, 21, tzinfo=UTC)


@dataclass
class Listing:
    """What really happened to a share; prices and dividends in dollars of their day."""

    close: list[float]
    dividends: dict[date, float] = field(default_factory=dict)
    splits: dict[date, tuple[float, float]] = field(default_factory=dict)  # new shares, for so many old ones
    name: str = "Made Up Inc."
    kind: str = "EQUITY"
    days: tuple[date, ...] = DAYS

    @property
    def open(self) -> list[float]:
        return [round(price - 0.25, 4) for price in self.close]

    @property
    def high(self) -> list[float]:
        return [round(price + 1.0, 4) for price in self.close]

    @property
    def low(self) -> list[float]:
        return [round(price - 1.5, 4) for price in self.close]

    @property
    def volume(self) -> list[int]:
        return [1_000_000 + 12 * n for n in range(len(self.close))]


# 4 new for 1 old on August 31st, and a dividend of 82 cents on the 28th.
AAPL = Listing(
    [506.09, 500.04, 499.23, 129.04, 134.18, 131.4],
    dividends={DAYS[2]: 0.82},
    splits={DAYS[3]: (4.0, 1.0)},
    name="Apple Inc.",
)
MSFT = Listing([221.15, 226.58, 228.91, 225.53, 227.27, 231.65], name="Microsoft Corporation")
AAPL_FACTORS = [(1 - 0.82 / 500.04) / 4] * 2 + [1 / 4] + [1.0] * 3


def opening(day: date) -> int:
    """Seconds since 1970 at which the exchange opens."""
    return int(datetime.combine(day, time(9, 30), NEW_YORK).timestamp())


def yahoo(listings: dict[str, Listing]) -> Any:
    """Yahoo's answers: cookie, crumb, and charts whose numbers count all splits up to now, as 32-bit floats."""

    def answer(request: Request) -> Reply:
        if request.path == "/v1/test/getcrumb":
            return Reply("crumb-1")
        symbol = request.path.removeprefix("/v8/finance/chart/").replace("%5E", "^")
        if symbol == request.path:
            return Reply("", headers={"Set-Cookie": "A3=d; Path=/"})
        if symbol not in listings:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return Reply({"chart": {"result": None, "error": error}}, 404)
        return Reply({"chart": {"result": [_chart(symbol, listings[symbol], request.query)], "error": None}})

    return answer


def _chart(symbol: str, listing: Listing, query: dict[str, str]) -> dict[str, Any]:
    wanted = range(len(listing.days))
    if "period1" in query:
        first, last = int(query["period1"]), int(query["period2"])
        wanted = [n for n in wanted if first <= opening(listing.days[n]) < last]  # type: ignore[assignment]
    later = [_later(listing, day) for day in listing.days]
    adjusted = _adjusted_close(listing)
    quote = {
        name: [float(np.float32(getattr(listing, name)[n] / later[n])) for n in wanted]
        for name in ("open", "high", "low", "close")
    }
    quote["volume"] = [round(listing.volume[n] * later[n]) for n in wanted]
    days = [listing.days[n] for n in wanted]
    events = {
        "dividends": {
            str(opening(day)): {"date": opening(day), "amount": float(np.float32(amount / _later(listing, day)))}
            for day, amount in listing.dividends.items()
            if day in days
        },
        "splits": {
            str(opening(day)): {
                "date": opening(day),
                "numerator": new,
                "denominator": old,
                "splitRatio": f"{new}:{old}",
            }
            for day, (new, old) in listing.splits.items()
            if day in days
        },
    }
    found = {"timestamp": [opening(day) for day in days]} if days else {}
    return {
        "meta": _meta(symbol, listing),
        **found,
        "events": {kind: happened for kind, happened in events.items() if happened},
        "indicators": {
            "quote": [quote if days else {}],
            "adjclose": [{"adjclose": [float(np.float32(adjusted[n])) for n in wanted]}],
        },
    }


def _meta(symbol: str, listing: Listing) -> dict[str, Any]:
    period = {"timezone": "EDT", "start": opening(DAYS[-1]), "end": opening(DAYS[-1]) + 23400, "gmtoffset": -14400}
    return {
        "currency": "USD", "symbol": symbol, "exchangeName": "NMS", "instrumentType": listing.kind,
        "firstTradeDate": 345479400, "regularMarketTime": opening(DAYS[-1]), "gmtoffset": -14400, "timezone": "EDT",
        "exchangeTimezoneName": "America/New_York", "regularMarketPrice": 100.0, "longName": listing.name,
        "priceHint": 2, "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
        "dataGranularity": "1d", "range": "", "validRanges": ["1d", "5d", "1mo", "max"],
    }  # fmt: skip


def _later(listing: Listing, day: date) -> float:
    return prod(new / old for split, (new, old) in listing.splits.items() if split > day)


def _adjusted_close(listing: Listing) -> list[float]:
    """Yahoo's recipe, bar by bar from the last one back."""
    found: list[float] = []
    factor = 1.0
    for n in reversed(range(len(listing.close))):
        day = listing.days[n]
        found.insert(0, listing.close[n] / _later(listing, day) * factor)
        if day in listing.dividends and n > 0:
            factor *= 1 - listing.dividends[day] / listing.close[n - 1]
    return found


KEY, SECRET = "PKMADEUP", "made-up-secret"


def alpaca(listings: dict[str, Listing], page: int = 4) -> Any:
    """Alpaca's answers: raw bars and corporate actions, `page` of them at a time, for whoever has the key."""

    def answer(request: Request) -> Reply:
        if (request.headers.get("apca-api-key-id"), request.headers.get("apca-api-secret-key")) != (KEY, SECRET):
            return Reply({"message": f"forbidden: {request.headers.get('apca-api-secret-key')}"}, 403)
        symbol = request.query["symbols"]
        listing = listings.get(symbol)
        begin = int(request.query.get("page_token") or 0)
        if request.path == "/v2/stocks/bars":
            rows = _bars(listing, request.query) if listing else []
            body: dict[str, Any] = {"bars": {symbol: rows[begin : begin + page]} if rows else {}}
        else:
            actions = list(_actions(symbol, listing)) if listing else []
            body = {"corporate_actions": _grouped(actions[begin : begin + page])}
            rows = [action for _, action in actions]
        more = begin + page < len(rows)
        return Reply(body | {"next_page_token": str(begin + page) if more else None})

    return answer


def _bars(listing: Listing, query: dict[str, str]) -> list[dict[str, Any]]:
    first, last = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
    rows = []
    for n, day in enumerate(listing.days):
        midnight = datetime.combine(day, time(), NEW_YORK).astimezone(UTC)
        if first <= midnight <= last:
            prices = {name[0]: getattr(listing, name)[n] for name in ("open", "high", "low", "close", "volume")}
            rows.append({"t": f"{midnight:%Y-%m-%dT%H:%M:%SZ}", **prices, "n": 1000, "vw": listing.close[n]})
    return rows


def _actions(symbol: str, listing: Listing) -> Iterable[tuple[str, dict[str, Any]]]:
    for day, amount in listing.dividends.items():
        paid = f"{day + timedelta(days=30)}"
        yield "cash_dividends", {"symbol": symbol, "rate": amount, "ex_date": f"{day}", "process_date": paid}
    for day, (new, old) in listing.splits.items():
        kind = "forward_splits" if new > old else "reverse_splits"
        yield kind, {"symbol": symbol, "new_rate": new, "old_rate": old, "ex_date": f"{day}", "process_date": f"{day}"}


def _grouped(actions: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for kind, action in actions:
        groups.setdefault(kind, []).append(action)
    return groups
