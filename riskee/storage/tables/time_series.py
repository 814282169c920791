"""Tables that are cut by time."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Table

from riskee.storage.tables.live import predictions, quotes
from riskee.storage.tables.market import market_data


@dataclass(frozen=True)
class TimeSeries:
    """How a table is cut by time, on every database tier."""

    table: Table
    time_column: str
    chunk: timedelta
    segment_by: str
    # None: kept for ever.
    retain_setting: str | None


TIME_SERIES = (
    TimeSeries(market_data, "timestamp", timedelta(days=365), "ticker", None),
    TimeSeries(quotes, "received_at", timedelta(days=1), "ticker", "predictions_retention_days"),
    TimeSeries(predictions, "prediction_time", timedelta(days=1), "ticker", "predictions_retention_days"),
)
