"""Five thousand tickers and a thousand updates a second cost the browser about what twenty tickers do."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
from playwright.async_api import WebSocketRoute

from tests.integration.dashboard.browser import Dashboard, opened
from tests.integration.dashboard.made_history import LAST, prediction

pytestmark = pytest.mark.integration
MANY, FEW = 5000, 20
UPDATES_A_SECOND = 1000
SECONDS = 4
BATCHES_A_SECOND = 25


@dataclass
class MadeUpMarket:
    """Stands for the stream, in the browser's network: as many tickers and updates as a test wants."""

    count: int
    sent: int = 0
    _socket: WebSocketRoute | None = None
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def tickers(self) -> list[str]:
        return [f"T{number:04d}" for number in range(self.count)]

    def begin(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(lambda _: self._snapshot())

    def _snapshot(self) -> None:
        self._send(type="subscribed", tickers=["*"], epoch="e", resumed=False)
        self._send(type="status", status="ok", since="2012-01-01T00:00:00Z", tickers=[], standing=True,
                   last_known=False, meaning="", next_step="")  # fmt: skip
        for ticker in self.tickers:
            self._predict(ticker, snapshot=True)
        self._send(type="complete")

    async def tick(self) -> None:
        """Updates of tickers at random, for some seconds."""
        for _ in range(SECONDS * BATCHES_A_SECOND):
            for ticker in self._random.choices(self.tickers, k=UPDATES_A_SECOND // BATCHES_A_SECOND):
                self._predict(ticker, snapshot=False)
            await asyncio.sleep(1 / BATCHES_A_SECOND)

    def _predict(self, ticker: str, *, snapshot: bool) -> None:
        made = prediction(ticker, LAST, self._random.uniform(20, 700), self._random.uniform(0.4, 0.6))
        self._send(type="prediction", snapshot=snapshot, status="ok", status_since=None,
                   prediction=msgspec.to_builtins(made))  # fmt: skip

    def _send(self, **message: Any) -> None:
        assert self._socket is not None
        self.sent += 1
        self._socket.send(json.dumps({**message, "sequence": self.sent}))


async def spent(client: httpx.AsyncClient, count: int) -> dict[str, float]:
    """What the browser's main thread did an update, in microseconds, and how many nodes the page has."""
    market = MadeUpMarket(count)
    known = [{"ticker": ticker, "name": ticker, "is_index": False} for ticker in market.tickers]
    async with opened(str(client.base_url)) as dashboard:
        await dashboard.page.route("**/v1/tickers", lambda route: route.fulfill(json=known))
        await dashboard.page.route("**/v1/predictions/*", lambda route: route.fulfill(json={"predictions": []}))
        await dashboard.page.route("**/v1/track-record/*", lambda route: route.fulfill(json={"models": []}))
        await dashboard.page.route_web_socket("**/v1/stream", market.begin)
        session = await dashboard.page.context.new_cdp_session(dashboard.page)
        await session.send("Performance.enable")
        await dashboard.open("T0000")
        await dashboard.shows(f"{count:,} of {count:,}", "#count")
        await dashboard.page.locator(".row:not(.unpredicted) .mark.note").first.wait_for()
        before, sent = await _metrics(session), market.sent
        frames = asyncio.ensure_future(dashboard.page.evaluate(_FRAMES, 1000 * SECONDS))
        await market.tick()
        counted = await frames
        after = await _metrics(session)
        updates = market.sent - sent
        rows = await dashboard.page.locator("#rows .row").count()
        await _scrolls(dashboard, count)
    spent = {name: 1e6 * (after[name] - before[name]) / updates for name in ("ScriptDuration", "LayoutDuration")}
    return {**spent, "rows": rows, "updates": updates, "heap_mib": after["JSHeapUsedSize"] / 2**20, **counted}


async def _metrics(session: Any) -> dict[str, float]:
    found = await session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in found["metrics"]}


async def _scrolls(dashboard: Dashboard, count: int) -> None:
    """The end of the list is there as soon as it is scrolled to."""
    await dashboard.page.evaluate("document.querySelector('#scroll').scrollTop = 1e9")
    await dashboard.page.locator(dashboard.row(f"T{count - 1:04d}")).wait_for()
    await dashboard.picture(f"many-tickers-{count}")


_FRAMES = """(milliseconds) => new Promise((done) => {
  const began = performance.now(); let last = began; let frames = 0; let worst = 0;
  const step = (now) => {
    frames += 1; worst = Math.max(worst, now - last); last = now;
    if (now - began < milliseconds) requestAnimationFrame(step);
    else done({ frames_a_second: 1000 * frames / (now - began), worst_frame_ms: worst });
  };
  requestAnimationFrame(step);
})"""


async def test_many_tickers_cost_what_few_do(client: httpx.AsyncClient) -> None:
    few, many = await spent(client, FEW), await spent(client, MANY)
    for count, found in ((FEW, few), (MANY, many)):
        print(f"{count} tickers:", ", ".join(f"{name} {value:.1f}" for name, value in found.items()))
    assert many["rows"] < 60, "only the rows in view exist"
    # Measured: about the same. With a row for each ticker it is twenty times as much.
    assert many["ScriptDuration"] < 5 * few["ScriptDuration"]
    assert many["LayoutDuration"] < 5 * few["LayoutDuration"] + 50
