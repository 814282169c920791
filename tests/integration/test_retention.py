"""Retention on plain PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from riskee.settings import DatabaseSettings
from riskee.storage.database import make_engine
from riskee.storage.partitions import ensure_partitions
from riskee.storage.retention import drop_expired
from riskee.storage.tables import TIME_SERIES

pytestmark = pytest.mark.integration
NOW = datetime(2031, 5, 20, 12, tzinfo=UTC)


def test_drops_whole_expired_partitions_and_nothing_else(database_url: str) -> None:
    engine = make_engine(SecretStr(database_url), 1)
    settings = DatabaseSettings(predictions_retention_days=3)
    with engine.connect() as connection:
        for series in TIME_SERIES:
            ensure_partitions(connection, series, NOW - timedelta(days=6), NOW)
        dropped = drop_expired(connection, settings, NOW)
        left = connection.scalars(
            text("SELECT relname FROM pg_class WHERE relname LIKE 'predictions\\_203105%' AND relkind = 'r' ORDER BY 1")
        ).all()
        again = drop_expired(connection, settings, NOW)
    engine.dispose()
    # Three days back from noon is noon of the 17th: that day's partition still holds what must stay.
    assert left == ["predictions_20310517", "predictions_20310518", "predictions_20310519", "predictions_20310520"]
    assert dropped["predictions"] >= 3
    assert "market_data" not in dropped
    assert again == {"quotes": 0, "predictions": 0}
