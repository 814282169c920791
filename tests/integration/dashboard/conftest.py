"""The dashboard against a real stack; without a Chromium these tests are skipped, and say so."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.dashboard.browser import Dashboard, chromium, opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium() is None:
        reason = "no Chromium on the PATH nor in RISKEE_TEST_CHROMIUM (Debian: apt install chromium)"
        for item in items:
            if "integration/dashboard" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
async def dashboard(client: httpx.AsyncClient) -> AsyncIterator[Dashboard]:
    """A browser before the page of an API that knows three tickers, with a predictor that is heard."""
    async with opened(str(client.base_url)) as dashboard:
        yield dashboard
