"""The asset of daily bars asks a vendor too, where the settings name one."""

from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from riskee.clock import FixedClock
from riskee.settings import AlpacaSettings, DataSettings, Settings
from riskee_dagster.defs.ingestion import market_data
from riskee_dagster.resources import Platform
from tests.integration.vendors.listings import AAPL, DAYS, KEY, NOW, SECRET, alpaca
from tests.integration.vendors.server import serving
from tests.unit.market.test_bundled import sample_blobs

pytestmark = pytest.mark.integration


def materialise(settings: Settings, blobs: Path, **changed: object) -> dg.ExecuteInProcessResult:
    platform = Platform(settings.model_copy(update=changed), FixedClock(NOW))
    platform.__dict__["blobs"] = sample_blobs(blobs)
    with dg.DagsterInstance.ephemeral() as instance:
        try:
            return dg.materialize(
                [market_data], resources={"riskee": platform}, instance=instance, raise_on_error=False
            )
        finally:
            platform.close()


@pytest.mark.parametrize("source", ["alpaca", "bundled"])
def test_the_vendors_bars_come_after_the_bundled_ones(database_settings: Settings, tmp_path: Path, source: str) -> None:
    with serving(alpaca({"AAPL": AAPL})) as server:
        keys = {"key_id": SecretStr(KEY), "secret_key": SecretStr(SECRET)}
        vendor = AlpacaSettings(url=server.url, requests_per_minute=1e6, **keys)
        data = DataSettings.model_validate({"source": source, "tickers": ("AAPL",)})
        done = materialise(database_settings, tmp_path, alpaca=vendor, data=data)
    assert done.success
    (event,) = done.asset_materializations_for_node("market_data")
    told = event.metadata["sources"].value
    assert isinstance(told, dict)
    fetched = {"alpaca:sip": len(DAYS)} if source == "alpaca" else {}
    assert {name: report["rows_read"] for name, report in told.items()} == {
        "daily-stocks": 1,
        "sp500-index": 1,
    } | fetched


def test_a_vendor_without_tickers_fails_with_what_to_set(database_settings: Settings, tmp_path: Path) -> None:
    done = materialise(database_settings, tmp_path, data=DataSettings(source="yahoo"))
    (failure,) = (event for event in done.all_events if event.is_step_failure)
    assert "RISKEE_DATA__TICKERS" in str(failure.step_failure_data.user_failure_data)
