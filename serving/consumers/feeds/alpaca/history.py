"""What the stream has missed, over Alpaca's REST API: minute bars, and the session's whole bars."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

import httpx
import msgspec

from riskee.clock import Clock
from riskee.errors import PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.market.minutes import MinuteBar
from riskee.market.sources.alpaca_access import refusal, require_keys, require_private
from riskee.market.sources.alpaca_actions import ACTION_TYPES, PAID_WITHIN, Actions
from riskee.market.sources.pacing import Pacer, retry_after
from riskee.settings import AlpacaSettings
from riskee.telemetry import FEED_UNREADABLE
from serving.consumers.feeds.alpaca.wire import Price, Shares, Time

_SYMBOLS_AT_ONCE = 200
# Of one page, over all its symbols: the most that the vendor gives.
_PAGE, _ACTIONS_PAGE = 10_000, 1_000
_LATER = frozenset({408, 425, 429})
# The history has no feed of its own for what is told late: it is that of all exchanges, up to as late.
_HISTORY_FEEDS = {"delayed_sip": "sip"}

_log = get_logger(__name__)


class Bar(msgspec.Struct, rename={"time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}):
    """A bar as the API gives it; `time` is its beginning."""

    time: Time
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Shares

    def as_minute(self) -> MinuteBar:
        """Asked for later than the stream has told of it: it counts as an updated one."""
        return MinuteBar(
            start=self.time,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            revision=1,
        )


class _ActionsPage(msgspec.Struct):
    corporate_actions: Actions = msgspec.field(default_factory=Actions)
    next_page_token: str | None = None


class _Page(msgspec.Struct):
    bars: dict[str, list[Bar]] | None = None
    next_page_token: str | None = None


class _RawPage(msgspec.Struct):
    bars: dict[str, list[msgspec.Raw]] | None = None
    next_page_token: str | None = None


_bars_decoder = msgspec.json.Decoder(_Page)
_raw_decoder = msgspec.json.Decoder(_RawPage)
_bar_decoder = msgspec.json.Decoder(Bar)
_actions_decoder = msgspec.json.Decoder(_ActionsPage)
PageT = TypeVar("PageT", _Page, _ActionsPage)
ResultT = TypeVar("ResultT")


class Retry(Protocol):
    """Repeats one request while it raises RetryableError."""

    async def __call__(self, action: Callable[[], Awaitable[ResultT]], /) -> ResultT: ...


@dataclass
class History:
    """Asks for bars, at most so many requests a minute.

    Each request is repeated by itself, so that one failure of hundreds does not begin them all anew. Raises FatalError
    where the API refuses us, and what `retry` lets through. `refused` are the symbols that it did not know when they
    were asked for last.
    """

    settings: AlpacaSettings
    client: httpx.AsyncClient
    clock: Clock
    retry: Retry
    refused: set[str] = field(default_factory=set)
    monotonic: Callable[[], float] = field(default_factory=lambda: asyncio.get_running_loop().time)
    _pacer: Pacer = field(init=False)

    def __post_init__(self) -> None:
        self._pacer = Pacer(self.settings.requests_per_minute, self.monotonic)

    async def bars(
        self, symbols: Sequence[str], timeframe: str, first: datetime, last: datetime
    ) -> AsyncIterator[Mapping[str, list[Bar]]]:
        """The raw bars that begin from `first` to `last`, both included, in pages. Unknown symbols are left out."""
        asked = [list(symbols[at : at + _SYMBOLS_AT_ONCE]) for at in range(0, len(symbols), _SYMBOLS_AT_ONCE)]
        while asked:
            part = asked.pop()
            try:
                async for page in self._pages(part, timeframe, first, last):
                    yield page
                self.refused.difference_update(part)
            except PoisonError as error:
                # One symbol that the vendor does not know makes it refuse them all.
                if len(part) > 1:
                    asked += [part[: len(part) // 2], part[len(part) // 2 :]]
                else:
                    self.refused.update(part)
                    _log.warning("no history", ticker=part[0], cause=str(error))

    async def _pages(
        self, symbols: Sequence[str], timeframe: str, first: datetime, last: datetime
    ) -> AsyncIterator[dict[str, list[Bar]]]:
        query: dict[str, Any] = {
            "symbols": ",".join(symbols),
            "timeframe": timeframe,
            "start": first.isoformat(),
            "end": last.isoformat(),
            "adjustment": "raw",
            "feed": _HISTORY_FEEDS.get(self.settings.feed, self.settings.feed),
            "limit": _PAGE,
        }
        while True:
            page = await self._page("/v2/stocks/bars", query, _read_bars)
            yield page.bars or {}
            if page.next_page_token is None:
                return
            query["page_token"] = page.next_page_token

    async def actions(self, day: date) -> AsyncIterator[Actions]:
        """All corporate actions of a day, and others, in pages."""
        query: dict[str, Any] = {
            "types": ",".join(ACTION_TYPES),
            "start": day.isoformat(),
            "end": (day + PAID_WITHIN).isoformat(),
            "limit": _ACTIONS_PAGE,
        }
        while True:
            page = await self._page("/v1/corporate-actions", query, _actions_decoder.decode)
            yield page.corporate_actions
            if page.next_page_token is None:
                return
            query["page_token"] = page.next_page_token

    async def _page(self, path: str, query: Mapping[str, Any], read: Callable[[bytes], PageT]) -> PageT:
        return await self.retry(lambda: self._ask(path, query, read))

    async def _ask(self, path: str, query: Mapping[str, Any], read: Callable[[bytes], PageT]) -> PageT:
        await asyncio.sleep(self._pacer.pause())
        try:
            answer = await self.client.get(path, params=query)
        except httpx.HTTPError as error:
            raise RetryableError(f"Alpaca does not answer: {type(error).__name__}", "it is asked again") from error
        if answer.status_code in _LATER or answer.status_code >= 500:
            wanted = retry_after(answer.headers.get("Retry-After", ""), self.clock.now())
            self._pacer.leave_alone(wanted or 0.0)
            raise RetryableError(f"Alpaca answers {answer.status_code}", "it is asked again")
        if answer.status_code >= 400:
            raise refusal(self.settings, answer.status_code, answer.text)
        try:
            return read(answer.content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RetryableError(f"Alpaca's answer cannot be read: {error}", "it is asked again") from error


@asynccontextmanager
async def open_history(settings: AlpacaSettings, clock: Clock, retry: Retry) -> AsyncIterator[History]:
    """The API; it is connected on first use. Raises FatalError without a key."""
    key, secret = require_keys(settings)
    url = require_private(settings.url, "RISKEE_ALPACA__URL")
    headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=settings.timeout_seconds) as client:
        yield History(settings, client, clock, retry)


def _read_bars(content: bytes) -> _Page:
    """A page, without the bars that no market makes: one of them must not take its neighbours along."""
    try:
        return _bars_decoder.decode(content)
    except msgspec.ValidationError:
        raw = _raw_decoder.decode(content)
    bars = {symbol: [bar for part in parts if (bar := _read_bar(part))] for symbol, parts in (raw.bars or {}).items()}
    return _Page(bars, raw.next_page_token)


def _read_bar(part: msgspec.Raw) -> Bar | None:
    try:
        return _bar_decoder.decode(part)
    except msgspec.ValidationError:
        FEED_UNREADABLE.labels("alpaca").inc()
        return None
