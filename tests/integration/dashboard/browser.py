"""A headless Chromium on the dashboard, and what it complained of."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.conftest import REPOSITORY
from tests.integration.conftest import PATIENCE_SECONDS

ARTIFACTS = REPOSITORY / "test-artifacts" / "dashboard"
WIDE = (1440, 900)
PHONE = (375, 740)
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# What the browser says of an answer that a test wants to fail, such as one of a server that is away.
_EXPECTED = ("Failed to load resource", "WebSocket connection to")


def chromium() -> str | None:
    """The browser of this machine, if it has one: `RISKEE_TEST_CHROMIUM`, or one on the PATH."""
    return os.environ.get("RISKEE_TEST_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@dataclass
class Dashboard:
    """The page in a browser. `complaints` are what its console said and all errors of its scripts."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    async def open(self, ticker: str = "") -> None:
        """Go to the page; with a ticker, to that."""
        await self.page.goto(f"{self.address}/dashboard/" + (f"#{ticker}" if ticker else ""))

    async def shows(self, text: str, where: str = "body") -> None:
        """Wait until a part of the page shows a text to the eye."""
        await self.page.locator(where).get_by_text(text).locator("visible=true").first.wait_for()

    async def text(self, where: str) -> str:
        return " ".join((await self.page.locator(where).inner_text()).split())

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def picture(self, name: str) -> None:
        """Keep a screenshot among the artefacts of the tests."""
        await self.page.evaluate("document.fonts.ready")
        await self.page.screenshot(path=ARTIFACTS / f"{name}.png")

    async def rows(self) -> list[str]:
        """The tickers in view, from above."""
        found: list[str] = await self.page.evaluate(
            "[...document.querySelectorAll('#rows .row')].filter(row => !row.hidden)"
            ".sort((one, other) => one.getAttribute('aria-rowindex') - other.getAttribute('aria-rowindex'))"
            ".map(row => row.dataset.ticker)"
        )
        return found

    def row(self, ticker: str) -> str:
        return f"#rows .row[data-ticker='{ticker}']"


@asynccontextmanager
async def opened(address: str, size: tuple[int, int] = WIDE, **options: Any) -> AsyncIterator[Dashboard]:
    """A browser with a new profile, of whose page nothing was complained at the end."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        viewport = {"width": size[0], "height": size[1]}
        page = await browser.new_page(viewport=viewport, reduced_motion="reduce", **options)  # type: ignore[arg-type]
        page.set_default_timeout(1000 * PATIENCE_SECONDS)
        dashboard = Dashboard(page, address)
        page.on("console", lambda message: _note(dashboard, message.type, message.text))
        page.on("pageerror", lambda error: _note(dashboard, "error", str(error)))
        page.on("request", lambda request: dashboard.requested.append(request.url))
        page.on("websocket", lambda socket: dashboard.requested.append(socket.url))
        try:
            yield dashboard
        finally:
            await browser.close()
        assert not dashboard.complaints, "\n".join(dashboard.complaints)


def _note(dashboard: Dashboard, kind: str, text: str) -> None:
    if kind in {"error", "warning"} and not text.startswith(_EXPECTED):
        dashboard.complaints.append(text)
