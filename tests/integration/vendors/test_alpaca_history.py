"""What Alpaca's REST API gives for a gap."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from riskee.clock import SystemClock
from riskee.errors import FatalError, RetryableError
from riskee.market.minutes import MINUTE
from riskee.settings import AlpacaSettings
from serving.consumers.feeds.alpaca.history import Bar, open_history
from tests.integration.vendors.alpaca_market import AlpacaMarket, alpaca_market, minute
from tests.integration.vendors.server import Reply

pytestmark = pytest.mark.integration
ResultT = TypeVar("ResultT")
BARS = "/v2/stocks/bars"
OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


@pytest.fixture
async def market() -> AsyncIterator[AlpacaMarket]:
    """Two tickers with ten minutes each, of which the vendor gives seven at a time."""
    async with alpaca_market() as market:
        market.history.page = 7
        for ticker in ("AAPL", "MSFT"):
            for n in range(10):
                market.history.add(ticker, minute(OPEN + n * MINUTE, 100.0 + n))
        yield market


async def once(action: Callable[[], Awaitable[ResultT]], /) -> ResultT:
    return await action()


async def thrice(action: Callable[[], Awaitable[ResultT]], /) -> ResultT:
    for _ in range(2):
        with suppress(RetryableError):
            return await action()
    return await action()


async def fetched(market: AlpacaMarket, *tickers: str, **changed: Any) -> dict[str, list[Bar]]:
    found: dict[str, list[Bar]] = {}
    async with open_history(AlpacaSettings.model_validate(market.settings | changed), SystemClock(), once) as history:
        async for page in history.bars(tickers, "1Min", OPEN + 2 * MINUTE, OPEN + 8 * MINUTE):
            for ticker, bars in page.items():
                found.setdefault(ticker, []).extend(bars)
    return found


async def test_all_pages_of_all_symbols_from_the_first_to_the_last_minute(market: AlpacaMarket) -> None:
    found = await fetched(market, "AAPL", "MSFT", "GONE")
    assert sorted(found) == ["AAPL", "MSFT"]
    for bars in found.values():
        assert [bar.time for bar in bars] == [OPEN + n * MINUTE for n in range(2, 9)]
        assert bars[0].as_minute() == minute(OPEN + 2 * MINUTE, 102.0, revision=1)
    assert [asked.get("page_token") for asked in market.history.asked] == [None, "7"]
    assert {(asked["feed"], asked["adjustment"]) for asked in market.history.asked} == {("iex", "raw")}


async def test_a_symbol_that_is_refused_does_not_take_the_others_along(market: AlpacaMarket) -> None:
    found = await fetched(market, "AAPL", "BRK-B", "MSFT")
    assert sorted(found) == ["AAPL", "MSFT"]


async def test_which_symbols_were_refused_is_known_until_they_are_not(market: AlpacaMarket) -> None:
    async with open_history(AlpacaSettings.model_validate(market.settings), SystemClock(), once) as history:
        history.refused.add("MSFT")
        async for _ in history.bars(["AAPL", "BRK-B", "MSFT"], "1Min", OPEN, OPEN):
            pass
        assert history.refused == {"BRK-B"}


async def test_only_the_request_that_failed_is_repeated(market: AlpacaMarket) -> None:
    market.history.page = 3
    failing = iter([True, False] * 10)
    answer = market.rest.answer
    market.rest.answer = lambda request: Reply("", 503) if next(failing) else answer(request)
    async with open_history(AlpacaSettings.model_validate(market.settings), SystemClock(), thrice) as history:
        found = [page async for page in history.bars(["AAPL"], "1Min", OPEN, OPEN + 8 * MINUTE)]
    assert [bar.time for page in found for bar in page["AAPL"]] == [OPEN + n * MINUTE for n in range(9)]
    assert [asked.get("page_token") for asked in market.history.asked] == [None, "3", "6"]


async def test_bars_that_no_market_makes_leave_their_neighbours(market: AlpacaMarket) -> None:
    market.history.add("AAPL", minute(OPEN + 3 * MINUTE, 0.0))
    found = await fetched(market, "AAPL")
    assert [bar.time for bar in found["AAPL"]] == [OPEN + n * MINUTE for n in (2, 4, 5, 6, 7, 8)]


async def test_what_is_told_late_is_in_the_history_of_all_exchanges(market: AlpacaMarket) -> None:
    await fetched(market, "AAPL", feed="delayed_sip")
    assert [asked["feed"] for asked in market.history.asked] == ["sip"]


@pytest.mark.parametrize("reply", [Reply("", 503), Reply("{"), Reply('{"bars": 1}'), Reply("x", cut=True)])
async def test_what_may_pass_is_told_so(market: AlpacaMarket, reply: Reply) -> None:
    market.rest.fail(BARS, reply)
    with pytest.raises(RetryableError, match="Alpaca"):
        await fetched(market, "AAPL")
    assert sorted(await fetched(market, "AAPL")) == ["AAPL"]


async def test_a_wrong_key_is_fatal(market: AlpacaMarket) -> None:
    with pytest.raises(FatalError, match="RISKEE_ALPACA__SECRET_KEY"):
        await fetched(market, "AAPL", secret_key="wrong")


async def test_requests_keep_their_pace_and_the_pause_that_the_vendor_wants(market: AlpacaMarket) -> None:
    """Compared with the clock of the loop, which cannot run ahead."""
    settings = AlpacaSettings.model_validate(market.settings | {"requests_per_minute": 600})
    loop = asyncio.get_running_loop()
    async with open_history(settings, SystemClock(), once) as history:
        began = loop.time()
        async for _ in history.bars(["AAPL", "MSFT"], "1Min", OPEN, OPEN + timedelta(hours=1)):
            pass
        assert loop.time() - began >= 2 * 0.1
        market.rest.fail(BARS, Reply("", 429, {"Retry-After": "1"}))
        with pytest.raises(RetryableError, match="429"):
            await anext(history.bars(["AAPL"], "1Min", OPEN, OPEN))
        began = loop.time()
        await anext(history.bars(["AAPL"], "1Min", OPEN, OPEN))
        assert loop.time() - began >= 0.9
