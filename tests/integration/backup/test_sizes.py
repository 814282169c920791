"""What the time series take on the disk, on plain PostgreSQL."""

import pytest
from sqlalchemy import Engine, text

from riskee.settings import DatabaseSettings
from riskee.storage.sizes import series_sizes

pytestmark = pytest.mark.integration

_BARS = text("""
    INSERT INTO market_data (ticker, resolution, timestamp, open, high, low, close, volume, adjustment_factor, dividend,
        split, source, known_at)
    SELECT 'T' || (n % 20), '1d', timestamptz '2020-01-01' + (n / 20) * interval '1 day', 100, 101, 99, 100 + n % 7,
        1000000 + n, 1, 0, 1, 'made', now()
    FROM generate_series(0, 9999) AS n
""")


def test_sizes_are_those_of_the_rows(engine: Engine) -> None:
    settings = DatabaseSettings(predictions_retention_days=17)
    with engine.begin() as connection:
        empty = {one.table: one for one in series_sizes(connection, settings)}
        connection.execute(_BARS)
        full = {one.table: one for one in series_sizes(connection, settings)}
    assert empty["market_data"].rows == 0
    assert empty["market_data"].columns_ratio is None
    bars = full["market_data"]
    assert (bars.tier, bars.rows, bars.kept_days, bars.compressed_after_days) == ("plain", 10_000, None, None)
    assert 60 < bars.bytes_per_row < 600
    assert bars.columns_ratio is not None
    assert bars.columns_ratio > 3, "rows so alike compress well"
    assert full["quotes"].kept_days == full["predictions"].kept_days == 17
