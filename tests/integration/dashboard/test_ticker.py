"""One ticker: its chart of predictions and outcomes, its record, its model and the health of the system."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine

from riskee.market.sessions import Session
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.sessions import write_sessions
from tests.integration.dashboard.browser import PHONE, WIDE, Dashboard, opened
from tests.integration.dashboard.made_history import LAST, prediction, wandering, write_history
from tests.integration.made_predictions import put, sealed

pytestmark = pytest.mark.integration
SESSIONS = 90
NOON = datetime(2012, 9, 6, 12, tzinfo=UTC)


@pytest.fixture
async def past(engine: Engine, known: Settings, cache: Cache) -> None:
    """Ninety sessions of AAPL, all but the last settled; the other tickers have a prediction and no past."""
    made = write_history(engine, known, "AAPL", wandering(SESSIONS))
    await put(cache, made[-1], prediction("IBM", LAST, 196.4, 0.47), prediction("MSFT", LAST, 30.46, 0.58))


async def test_the_chart_tells_hits_misses_and_intervals(past: None, dashboard: Dashboard, bus: Bus) -> None:
    await dashboard.open("AAPL")
    await dashboard.shows("Of the last 89 settled predictions")
    summary = await dashboard.text("#chart-summary")
    assert "closes were inside the 80% interval" in summary
    await dashboard.page.click("text=As a table")
    rows = await dashboard.page.locator("#past tr").all_inner_texts()
    assert "not settled yet" in rows[0]
    assert "1 is not settled yet." in summary
    assert any("● hit" in row for row in rows)
    assert any("✕ miss" in row for row in rows)
    assert any("outside the interval" in row for row in rows)
    await dashboard.page.click("text=As a table")
    await bus.publish(PREDICTION_UPDATED, sealed(prediction("AAPL", LAST, 612.25)))
    await dashboard.shows("612.25", "#figures")
    await dashboard.page.hover("#chart", position={"x": 420, "y": 120})
    await dashboard.shows("predicted", "#readout")


async def test_the_open_prediction_stands_over_the_next_session_of_the_calendar(
    past: None, dashboard: Dashboard, engine: Engine
) -> None:
    monday = LAST + timedelta(days=4)
    with engine.begin() as connection:
        write_sessions(connection, [Session(day, NOON, NOON) for day in (LAST, monday)])
    await dashboard.open("AAPL")
    await dashboard.shows("Of the last 89 settled predictions")
    await dashboard.page.click("text=As a table")
    rows = await dashboard.page.locator("#past tr").all_inner_texts()
    assert rows[0].split()[0] == monday.isoformat(), "the Friday between is a holiday"


async def test_a_ticker_without_a_past_has_none_of_another(past: None, dashboard: Dashboard) -> None:
    await dashboard.open("AAPL")
    await dashboard.shows("Of the last 89 settled predictions")
    await dashboard.page.goto(f"{dashboard.address}/dashboard/#IBM")
    await dashboard.shows("No prediction of this ticker is stored yet.")
    assert await dashboard.text("#chart-summary") == ""
    assert await dashboard.page.get_attribute("#chart", "aria-label") == "Chart"
    assert not await dashboard.page.locator(".legend").is_visible(), "nothing is drawn that it could explain"


async def test_the_record_tells_how_little_is_known(past: None, dashboard: Dashboard) -> None:
    await dashboard.open("AAPL")
    await dashboard.shows("Not distinguishable from chance.")
    said = await dashboard.text("#record")
    assert "n = 89" in said
    assert "with 95% confidence" in said
    assert "promised 80% (dashed)" in said
    scales = await dashboard.page.locator("svg.whisker").evaluate_all(
        "all => all.map((one) => [...one.querySelectorAll('text')]"
        ".map((mark) => [mark.textContent, mark.getAttribute('x')]))"
    )
    assert len(scales) == 2
    assert scales[0] == scales[1], "what looks wider is wider"
    assert [said for said, _ in scales[0]] == ["0%", "50%", "100%"]
    label = await dashboard.page.locator("svg.calibration").get_attribute("aria-label")
    assert label is not None
    assert "rose, of" in label
    await dashboard.page.click("text=All")
    await dashboard.shows("89 predictions of 89 sessions", "#record-of")
    await dashboard.page.goto(f"{dashboard.address}/dashboard/#IBM")
    await dashboard.shows("No prediction of this ticker is stored yet.")


async def test_the_system_says_how_it_is(past: None, dashboard: Dashboard) -> None:
    await dashboard.open("AAPL")
    await dashboard.shows("normal-20120905-0a1b2c3d", "#model-version")
    for name in ("database", "redis", "nats"):
        await dashboard.shows(name, "#dependencies")
    await dashboard.shows("feed ok", "#feed")
    await dashboard.shows("replay/1 · last quote", "#feed-age")


async def test_on_a_phone_the_focus_goes_to_the_ticker_and_back(past: None, client: httpx.AsyncClient) -> None:
    """What was read is hidden then: without it the next key is for nothing that is seen."""
    async with opened(str(client.base_url), PHONE) as dashboard:
        await dashboard.open()
        await dashboard.shows("196.40", dashboard.row("IBM"))
        await dashboard.page.focus("#grid")
        await dashboard.press("ArrowDown", "ArrowDown", "Enter")
        await dashboard.shows("IBM", "#title")
        assert await _focused(dashboard) == "side"
        await dashboard.press("Escape")
        await dashboard.page.locator("#list").wait_for()
        assert await _focused(dashboard) == "grid"
        await dashboard.press("Enter")
        await dashboard.shows("IBM", "#title")
        assert await _focused(dashboard) == "side"


async def test_where_both_are_seen_the_focus_stays_in_the_list(past: None, dashboard: Dashboard) -> None:
    await dashboard.open("AAPL")
    await dashboard.shows("196.40", dashboard.row("IBM"))
    await dashboard.page.focus("#grid")
    await dashboard.press("ArrowDown", "Enter")
    await dashboard.shows("IBM", "#title")
    assert await _focused(dashboard) == "grid"


async def _focused(dashboard: Dashboard) -> str:
    found: str = await dashboard.page.evaluate("document.activeElement.id")
    return found


@pytest.mark.parametrize(("name", "size"), [("wide", WIDE), ("phone", PHONE)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_is_readable(
    past: None, client: httpx.AsyncClient, name: str, size: tuple[int, int], scheme: str
) -> None:
    """WCAG 2.2 AA, 1.4.3: 4.5 to 1, and 3 to 1 where the text is large. What is faded says by this it is not fresh."""
    async with opened(str(client.base_url), size, color_scheme=scheme) as dashboard:
        await dashboard.open("AAPL")
        await dashboard.shows("Not distinguishable from chance.")
        await dashboard.picture(f"ticker-{name}-{scheme}")
        assert await dashboard.page.evaluate(_TOO_FAINT) == []


# Texts whose contrast with what is painted behind them is too low.
_TOO_FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return rgba('white');
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('svg, :disabled')) continue;
    const style = getComputedStyle(node);
    const [one, other] = [light(rgba(style.color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const wanted = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    if (ratio < wanted) found.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  const placeholder = getComputedStyle(document.getElementById('search'), '::placeholder').color;
  const [one, other] = [placeholder, getComputedStyle(document.getElementById('search')).backgroundColor]
    .map((colour) => light(rgba(colour))).sort((a, b) => b - a);
  if ((one + 0.05) / (other + 0.05) < 4.5) found.push('placeholder');
  return found;
}"""
