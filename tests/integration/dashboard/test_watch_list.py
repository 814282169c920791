"""The watch list: what a row says, live; sorted, searched, pinned, by mouse and by keys."""

import asyncio

import httpx
import msgspec
import pytest

from riskee.messaging.messages import Flag
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from tests.integration.conftest import TICKERS, eventually
from tests.integration.dashboard.browser import PHONE, Dashboard, opened
from tests.integration.dashboard.made_history import LAST, prediction
from tests.integration.made_predictions import put, sealed

pytestmark = pytest.mark.integration


async def test_a_row_says_all_of_a_prediction_and_follows_it(dashboard: Dashboard, cache: Cache, bus: Bus) -> None:
    await put(cache, prediction("AAPL", LAST, 600.0))
    await dashboard.open()
    await dashboard.shows("600.00", dashboard.row("AAPL"))
    said = await dashboard.text(dashboard.row("AAPL"))
    for part in ("AAPL", "AAPL Inc.", "+0.10%", "600.60", "▲ 55.0%", "conf. 55.0%", "588.00", "612.00", "replay"):
        assert part in said
    await bus.publish(PREDICTION_UPDATED, sealed(prediction("AAPL", LAST, 601.5, p_up=0.4)))
    await dashboard.shows("601.50", dashboard.row("AAPL"))
    said = await dashboard.text(dashboard.row("AAPL"))
    assert all(part in said for part in ("−0.10%", "▼ 40.0%", "conf. 60.0%"))


async def test_the_direction_is_the_likelier_one_and_stands_beside_its_chance(
    dashboard: Dashboard, cache: Cache, bus: Bus
) -> None:
    made = msgspec.structs.replace(prediction("AAPL", LAST, 600.0, p_up=0.504), expected_return=-0.0002)
    await put(cache, made)
    await dashboard.open("AAPL")
    await dashboard.shows("600.00", "#figures")
    for expected, chance in (
        ("#expected", "#chance"),
        (f"{dashboard.row('AAPL')} .expected b", f"{dashboard.row('AAPL')} .chance b"),
    ):
        assert await dashboard.text(expected) == "−0.02%", "a mean has no direction of its own"
        assert await dashboard.text(chance) == "▲ 50.4%"
    watched = asyncio.ensure_future(dashboard.page.evaluate(_APART))
    for number in range(20):
        await bus.publish(PREDICTION_UPDATED, sealed(prediction("AAPL", LAST, 601.0 + number)))
        await asyncio.sleep(0.03)
    await dashboard.shows("620.00", "#figures")
    assert await watched == [], "the row and the detail show the same update"


# The prices of which the row and the detail showed different ones in the same frame, for two seconds.
_APART = """() => new Promise((done) => {
  const apart = []; const began = performance.now();
  const look = (now) => {
    const [row, detail] = ['.row[data-ticker=AAPL] .price b', '#price']
      .map((at) => document.querySelector(at).innerText);
    if (row !== detail) apart.push([row, detail]);
    if (now - began < 2000) requestAnimationFrame(look); else done(apart);
  };
  requestAnimationFrame(look);
})"""


async def test_an_interval_that_goes_on_beyond_its_bar_says_so(dashboard: Dashboard, cache: Cache) -> None:
    wide = prediction("AAPL", LAST, 100.0)
    wide = msgspec.structs.replace(wide, interval=msgspec.structs.replace(wide.interval, p10=99.0, p90=109.0))
    await put(cache, wide, prediction("IBM", LAST, 100.0), prediction("MSFT", LAST, 100.0))
    await dashboard.open()
    await dashboard.shows("109.00", dashboard.row("AAPL"))
    for ticker, wanted in (("AAPL", "interval-bar beyond-high"), ("IBM", "interval-bar")):
        bar = dashboard.page.locator(f"{dashboard.row(ticker)} .interval-bar")
        assert (await bar.get_attribute("class") or "").split() == wanted.split()


async def test_a_ticker_without_a_prediction_says_so_until_it_has_one(dashboard: Dashboard, bus: Bus) -> None:
    await dashboard.open("IBM")
    await dashboard.shows("none yet", dashboard.row("IBM"))
    await dashboard.shows("This ticker has no prediction yet.", "#detail")
    await dashboard.picture("no-prediction")
    await bus.publish(PREDICTION_UPDATED, sealed(prediction("IBM", LAST, 196.5)))
    await dashboard.shows("196.50", "#figures")
    assert not await dashboard.page.locator("#no-prediction").is_visible()


async def test_sorting_searching_and_pinning(dashboard: Dashboard, cache: Cache) -> None:
    chances = dict(zip(TICKERS, (0.52, 0.58, 0.41), strict=True))
    await put(cache, *(prediction(ticker, LAST, 100.0, p_up) for ticker, p_up in chances.items()))
    await dashboard.open()
    await dashboard.shows("58.0%")
    await eventually(lambda: _rows_are(dashboard, "AAPL", "IBM", "MSFT"))
    await dashboard.page.click("[data-sort=chance]")
    await eventually(lambda: _rows_are(dashboard, "IBM", "AAPL", "MSFT"))
    await dashboard.page.click("[data-sort=chance]")
    await eventually(lambda: _rows_are(dashboard, "MSFT", "AAPL", "IBM"))
    assert await dashboard.page.locator("[aria-sort=ascending]").inner_text() == "P(up)"
    await dashboard.page.click(f"{dashboard.row('IBM')} .pin")
    await eventually(lambda: _rows_are(dashboard, "IBM", "MSFT", "AAPL"))
    await dashboard.page.reload()
    await eventually(lambda: _rows_are(dashboard, "IBM", "MSFT", "AAPL"))
    await dashboard.page.fill("#search", "msft inc")
    await eventually(lambda: _rows_are(dashboard, "MSFT"))
    await dashboard.page.fill("#search", "nobody")
    await dashboard.shows("No ticker matches the search.")
    await dashboard.press("Escape")
    await eventually(lambda: _rows_are(dashboard, "IBM", "MSFT", "AAPL"))


async def _rows_are(dashboard: Dashboard, *tickers: str) -> bool:
    return await dashboard.rows() == [*tickers]


async def test_the_page_is_worked_by_keys_alone(dashboard: Dashboard, cache: Cache) -> None:
    await put(cache, *(prediction(ticker, LAST, 100.0) for ticker in TICKERS))
    await dashboard.open()
    await dashboard.shows("AAPL", "#title")
    await dashboard.press("ArrowDown", "ArrowDown", "Enter")
    await dashboard.shows("MSFT", "#title")
    assert dashboard.page.url.endswith("#MSFT")
    active = await dashboard.page.get_attribute("#grid", "aria-activedescendant")
    assert await dashboard.page.get_attribute(f"#{active}", "data-ticker") == "MSFT"
    await dashboard.press("/")
    await dashboard.page.keyboard.type("ibm")
    await eventually(lambda: _rows_are(dashboard, "IBM"))
    await dashboard.press("ArrowDown", "Enter")
    await dashboard.shows("IBM", "#title")
    await dashboard.press("Escape", "p")
    await eventually(lambda: _rows_are(dashboard, "IBM", "AAPL", "MSFT"))
    before = await dashboard.page.evaluate("document.documentElement.dataset.theme")
    await dashboard.press("t")
    assert await dashboard.page.evaluate("document.documentElement.dataset.theme") != before
    await dashboard.press("?")
    await dashboard.shows("Keys and words")
    await dashboard.picture("help")
    await dashboard.press("Escape")
    assert not await dashboard.page.locator("#help-dialog").is_visible()
    assert "announcer" in await dashboard.page.evaluate("document.querySelector('[aria-live]').id")


async def test_what_is_read_beside_the_list_scrolls_by_keys(dashboard: Dashboard, cache: Cache) -> None:
    await put(cache, *(prediction(ticker, LAST, 100.0) for ticker in TICKERS))
    await dashboard.open("AAPL")
    await dashboard.shows("100.00", "#figures")
    active = await dashboard.page.get_attribute("#grid", "aria-activedescendant")
    await dashboard.page.focus("#side")
    await dashboard.press("PageDown")
    await eventually(lambda: dashboard.page.evaluate("document.getElementById('side').scrollTop > 0"))
    assert await dashboard.page.get_attribute("#grid", "aria-activedescendant") == active, "the list stays where it is"


@pytest.mark.parametrize("ticker", ["", "AAPL"])
async def test_nothing_is_cut_off_at_any_width(
    client: httpx.AsyncClient, cache: Cache, beating: None, ticker: str
) -> None:
    made = prediction("AAPL", LAST, 1234.5)
    await put(cache, msgspec.structs.replace(made, flags=(Flag.REPLAY, Flag.COLD_WINDOW)))
    async with opened(str(client.base_url), PHONE) as dashboard:
        await dashboard.open(ticker)
        await dashboard.shows("1,234.50", "#figures" if ticker else dashboard.row("AAPL"))
        await dashboard.shows("model normal-20120905-0a1b2c3d", "#model")
        for width in (320, 375, 768, 1001, 1280, 1920):
            await dashboard.page.set_viewport_size({"width": width, "height": 800})
            assert await dashboard.page.evaluate(_CUT_OFF) == [], f"{width} px"
            assert await dashboard.page.evaluate(_CROWDED) == [], f"{width} px"


# What touches the border of its row.
_CROWDED = """() => [...document.querySelectorAll('#rows .row:not([hidden])')].flatMap((row) => {
  const { top, bottom } = row.getBoundingClientRect();
  return [...row.querySelectorAll('.cell > *')]
    .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height)
    .filter((node) => node.getBoundingClientRect().top < top + 2 || node.getBoundingClientRect().bottom > bottom - 2)
    .map((node) => `${row.dataset.ticker}: ${node.className}: ${node.innerText}`);
})"""

# What reaches beyond its part of the page.
_CUT_OFF = """() => {
  const parts = {
    '.top': '.pills li, .tools button', '#list': '.row:not([hidden]) .cell, .bar > *', '#side': '.card, dd, .mark',
  };
  return Object.entries(parts).flatMap(([part, inside]) => {
    const end = Math.min(innerWidth, document.querySelector(part).getBoundingClientRect().right);
    return [...document.querySelectorAll(`${part} :is(${inside})`)]
      .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > end + 0.5)
      .map((node) => `${part}: ${node.id || node.className}: ${node.innerText}`);
  });
}"""


async def test_on_a_phone_the_list_leads_to_a_ticker_and_back(client: httpx.AsyncClient, cache: Cache) -> None:
    await put(cache, *(prediction(ticker, LAST, 100.0) for ticker in TICKERS))
    async with opened(str(client.base_url), PHONE, has_touch=True) as dashboard:
        await dashboard.open()
        await dashboard.shows("100.00", dashboard.row("IBM"))
        for said in ("98.00", "102.00", "replay", "conf. 55.0%"):
            await dashboard.shows(said, dashboard.row("IBM"))
        for each in ("#connection", "#feed", "#model"):
            assert await dashboard.page.locator(each).is_visible()
        assert not await dashboard.page.locator("#side").is_visible()
        await dashboard.picture("phone-list")
        await dashboard.page.tap(dashboard.row("IBM"))
        await dashboard.shows("IBM", "#title")
        assert not await dashboard.page.locator("#list").is_visible()
        wide = "document.querySelector('#side').scrollWidth <= innerWidth && document.body.scrollWidth <= innerWidth"
        assert await dashboard.page.evaluate(wide), "nothing is wider than the phone"
        await dashboard.picture("phone-ticker")
        await dashboard.page.go_back()
        await dashboard.page.locator("#list").wait_for()


async def test_text_from_outside_is_shown_as_text(client: httpx.AsyncClient, cache: Cache, bus: Bus) -> None:
    hostile = "<img src=x onerror='window.canary=1'>"
    made = msgspec.structs.replace(prediction("AAPL", LAST, 100.0), feed=hostile, model_version=hostile)
    async with opened(str(client.base_url)) as dashboard:
        await dashboard.open()
        await dashboard.shows("none yet", dashboard.row("AAPL"))
        await bus.publish(PREDICTION_UPDATED, sealed(made))
        await dashboard.shows(hostile, "#feed-age")
        await dashboard.shows(hostile, "#model-version")
        assert await dashboard.page.evaluate("window.canary") is None
