"""One server in place of both vendors, and a database to fetch into."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import pytest
import yfinance
from pydantic import SecretStr
from sqlalchemy import Engine, text

from riskee.clock import FixedClock
from riskee.market.fetching import fetch
from riskee.market.importing import ImportReport
from riskee.settings import AlpacaSettings, Settings, YahooSettings
from tests.integration.vendors.listings import AAPL, KEY, MSFT, NOW, SECRET, Listing, alpaca, yahoo
from tests.integration.vendors.server import Reply, Server, serving

_STORED = text("""
    SELECT close, close * adjustment_factor, source, version
    FROM bars
    WHERE ticker = :ticker
    ORDER BY session_date
""")


@dataclass
class Market:
    """Both vendors on one server, which lists what the test says."""

    server: Server
    settings: Settings
    engine: Engine

    def trade(self, **listings: Listing) -> None:
        asked = {"yahoo": yahoo(listings), "alpaca": alpaca(listings)}
        self.server.answer = lambda request: asked["alpaca" if "apca-api-key-id" in request.headers else "yahoo"](
            request
        )

    def fetch(
        self,
        *tickers: str,
        source: str = "alpaca",
        at: datetime = NOW,
        start: date | None = None,
        end: date | None = None,
    ) -> ImportReport:
        return fetch(self.engine, self.settings, FixedClock(at), source, tickers, start, end)

    def stored(self, ticker: str = "AAPL") -> list[tuple[float, float, str, int]]:
        """Close, adjusted close, source and version of the latest versions."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(_STORED, {"ticker": ticker})]


@pytest.fixture
def _fresh_yfinance() -> None:
    """yfinance forgets what it kept of other tests: its session, and answers about days that are over."""
    yfinance.data.YfData._instances.clear()
    yfinance.data.YfData.cache_get.cache_clear()


@pytest.fixture
def market(engine: Engine, database_settings: Settings, _fresh_yfinance: None) -> Iterator[Market]:
    """Both vendors list AAPL and MSFT, and nobody waits."""
    with serving(lambda _: Reply()) as server:
        pace = {"requests_per_minute": 1e6, "retries": 0, "timeout_seconds": 20.0}
        vendors = {
            "yahoo": YahooSettings(url=server.url, **pace),
            "alpaca": AlpacaSettings(
                url=server.url, key_id=SecretStr(KEY), secret_key=SecretStr(SECRET), feed="iex", **pace
            ),
        }
        market = Market(server, database_settings.model_copy(update=vendors), engine)
        market.trade(AAPL=AAPL, MSFT=MSFT)
        yield market
