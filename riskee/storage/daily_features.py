"""The features that SQL computed of whole sessions."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from riskee.features.definitions import FEATURES
from riskee.storage.tables import features_daily


@dataclass(frozen=True)
class DailyFeatures:
    """A ticker's features of a session, None where a window is not full."""

    session_date: date
    values: dict[str, float | None]


def latest_features(connection: Connection, ticker: str) -> DailyFeatures | None:
    """Those of the ticker's last session; None where there are none."""
    table = features_daily.c
    columns = [table[feature.name] for feature in FEATURES]
    newest = select(table.session_date, *columns).where(table.ticker == ticker).order_by(table.session_date.desc())
    row = connection.execute(newest.limit(1)).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    return DailyFeatures(values.pop("session_date"), values)
