"""Macroeconomic series in the database."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from riskee.storage.tables import macro_series
from riskee.storage.upsert import upsert


@dataclass(frozen=True, slots=True)
class MacroValue:
    """One value of a series; `known_at` is when it was published, in UTC."""

    series: str
    period_start: date
    value: float
    unit: str
    known_at: datetime
    source: str


def write_macro(connection: Connection, values: Iterable[MacroValue]) -> None:
    """Add the values; a known one is overwritten."""
    rows = [asdict(value) for value in values]
    upsert(connection, macro_series, rows, ("series", "period_start"), ("value", "unit", "known_at", "source"))


def read_macro(connection: Connection) -> list[MacroValue]:
    """All values, by series and period."""
    table = macro_series.c
    return [
        MacroValue(*row) for row in connection.execute(select(macro_series).order_by(table.series, table.period_start))
    ]
