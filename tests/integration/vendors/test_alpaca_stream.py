"""Alpaca's stream against a server that speaks its protocol."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from riskee.errors import FatalError, RetryableError
from riskee.settings import AlpacaSettings
from serving.consumers.feeds.alpaca.stream import ConnectionTakenError, open_stream
from serving.consumers.feeds.alpaca.subscribing import subscribe, wanted
from serving.consumers.feeds.alpaca.wire import MinuteMessage, TradeMessage
from tests.integration.vendors.alpaca_market import (
    AlpacaMarket,
    alpaca_market,
    minute,
    minute_message,
    trade_message,
)

pytestmark = pytest.mark.integration
NOON = datetime(2026, 1, 5, 17, 0, tzinfo=UTC)


@pytest.fixture
async def market() -> AsyncIterator[AlpacaMarket]:
    async with alpaca_market() as market:
        yield market


def settings_of(market: AlpacaMarket, **changed: Any) -> AlpacaSettings:
    return AlpacaSettings.model_validate(market.settings | changed)


async def test_market_data_come_as_they_are_told(market: AlpacaMarket) -> None:
    async with open_stream(settings_of(market)) as stream:
        assert (await stream.subscribe(("bars", "trades"), ["AAPL", "MSFT"])).accepted == ["AAPL", "MSFT"]
        await market.stream.push(
            trade_message("AAPL", 1, NOON, 10.0, 5, "@I"),
            minute_message("MSFT", minute(NOON, 20.0)),
            minute_message("IBM", minute(NOON, 20.0)),
            {"T": "b", "S": "MSFT"},
            {"T": "something new", "S": "MSFT"},
        )
        trade, bar = await anext(stream.messages())
        assert isinstance(trade, TradeMessage)
        assert (trade.symbol, trade.price, trade.conditions, trade.time) == ("AAPL", 10.0, ("@", "I"), NOON)
        assert isinstance(bar, MinuteMessage)
        assert (bar.symbol, bar.close, bar.time) == ("MSFT", 20.25, NOON)


async def test_what_comes_while_we_subscribe_is_not_lost(market: AlpacaMarket) -> None:
    async with open_stream(settings_of(market)) as stream:
        await stream.subscribe(("bars",), ["AAPL"])
        await market.stream.push(minute_message("AAPL", minute(NOON, 10.0)))
        await stream.subscribe(("trades",), ["AAPL"])
        (bar,) = await anext(stream.messages())
        assert isinstance(bar, MinuteMessage)


@pytest.mark.parametrize("frame", ["what?", '{"T":"t"}', b"\xff\xfe", "[1, 2]", "[]"])
async def test_a_garbage_frame_is_left_out(market: AlpacaMarket, frame: str | bytes) -> None:
    async with open_stream(settings_of(market)) as stream:
        await stream.subscribe(("bars",), ["AAPL"])
        await market.stream.push_raw(frame)
        await market.stream.push(minute_message("AAPL", minute(NOON, 10.0)))
        assert len(await anext(stream.messages())) == 1


async def test_a_wrong_key_is_fatal_and_is_shown_nowhere(
    market: AlpacaMarket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(FatalError, match=r"402.*RISKEE_ALPACA__SECRET_KEY") as raised:
        async with open_stream(settings_of(market, secret_key="wrong-secret-of-mine")):
            pass
    assert "wrong-secret-of-mine" not in str(raised.value)
    assert "wrong-secret-of-mine" not in caplog.text


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (409, FatalError, "RISKEE_ALPACA__FEED=iex is not in your plan"),
        (406, ConnectionTakenError, "end what else uses the key"),
        (404, RetryableError, "auth timeout"),
        (500, RetryableError, "auth timeout"),
    ],
)
async def test_refusals_are_judged(market: AlpacaMarket, code: int, error: type[Exception], says: str) -> None:
    market.stream.refusal = code, "auth timeout"
    with pytest.raises(error, match=says):
        async with open_stream(settings_of(market)):
            pass


async def test_without_a_key_the_settings_are_named(market: AlpacaMarket) -> None:
    with pytest.raises(FatalError, match="RISKEE_ALPACA__KEY_ID"):
        async with open_stream(settings_of(market, key_id=None)):
            pass


async def test_the_key_goes_nowhere_in_plain_text() -> None:
    with pytest.raises(FatalError, match=r"RISKEE_ALPACA__STREAM__URL.*plain text.*wss://"):
        async with open_stream(AlpacaSettings.model_validate({"stream": {"url": "ws://stream.example.com"}})):
            pass


async def test_as_many_symbols_are_subscribed_as_the_plan_allows(market: AlpacaMarket) -> None:
    symbols = [f"{a}{b}" for a in "ABCDEFGH" for b in "ABCDEFGH"]
    market.stream.limits = {"trades": 30}
    async with open_stream(settings_of(market)) as stream:
        found = await stream.subscribe(("trades",), symbols)
    assert (found.accepted, found.missing) == (symbols[:30], symbols[30:])
    assert found.reason == "the plan allows 30 symbols"
    assert len(market.stream.asked) < 20


async def test_a_symbol_that_the_stream_does_not_know_is_left_out_alone(market: AlpacaMarket) -> None:
    async with open_stream(settings_of(market)) as stream:
        found = await stream.subscribe(("bars",), ["AAPL", "BRK-B", "IBM", "MSFT", "X1"])
    assert (found.accepted, found.missing) == (["AAPL", "IBM", "MSFT"], ["BRK-B", "X1"])
    assert found.reason == "the stream does not know them"


async def test_what_is_missing_is_told(market: AlpacaMarket) -> None:
    market.stream.limits = {"trades": 1}
    market.stream.missing_channels = {"statuses"}
    settings = settings_of(market)
    async with open_stream(settings) as stream:
        tickers, line = await subscribe(stream, settings.stream, wanted(["AAPL", "IBM", "MSFT"], ["MSFT", "GONE"], 0))
    assert tickers == ["MSFT", "AAPL", "IBM"]
    assert line == (
        "minute bars of 3; halts of 0, not of 3 (MSFT, AAPL, IBM): this feed does not have them; "
        "trades of 1, not of 2 (AAPL, IBM): the plan allows 1 symbols; quotes of 0"
    )


async def test_a_broken_connection_is_told(market: AlpacaMarket) -> None:
    async with open_stream(settings_of(market)) as stream:
        await stream.subscribe(("bars",), ["AAPL"])
        market.stream.drop()
        with pytest.raises(RetryableError, match="broke off"):
            await anext(stream.messages())


async def test_a_half_open_connection_is_noticed(market: AlpacaMarket) -> None:
    impatient = settings_of(market, stream=market.settings["stream"] | {"ping_seconds": 0.5})
    async with open_stream(impatient) as stream:
        await stream.subscribe(("bars",), ["AAPL"])
        market.stream.go_deaf()
        async with asyncio.timeout(60):
            with pytest.raises(RetryableError, match=r"broke off.*ping"):
                await anext(stream.messages())


async def test_a_complaint_later_on_ends_the_connection(market: AlpacaMarket) -> None:
    async with open_stream(settings_of(market)) as stream:
        await stream.subscribe(("bars",), ["AAPL"])
        await market.stream.push_raw('[{"T":"error","code":407,"msg":"slow client"}]')
        with pytest.raises(RetryableError, match="slow client"):
            await anext(stream.messages())
