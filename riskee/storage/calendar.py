"""The earnings calendar in the database."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from riskee.storage.tables import earnings_calendar


@dataclass(frozen=True, slots=True)
class Report:
    """One quarterly report of a company; `known_at` is when its date was known, in UTC."""

    ticker: str
    report_date: date
    known_at: datetime
    source: str
    eps_estimate: float | None = None
    eps_reported: float | None = None


def write_reports(connection: Connection, reports: Iterable[Report]) -> None:
    """Add the reports; a known one takes the new figures."""
    rows = [asdict(report) for report in reports]
    if not rows:
        return
    statement = insert(earnings_calendar)
    changed = {name: statement.excluded[name] for name in ("known_at", "eps_estimate", "eps_reported", "source")}
    connection.execute(statement.on_conflict_do_update(index_elements=["ticker", "report_date"], set_=changed), rows)


def reports(connection: Connection) -> dict[str, NDArray[np.datetime64]]:
    """The report dates of every ticker, ascending, as datetime64[D]."""
    table = earnings_calendar.c
    dates: dict[str, list[date]] = {}
    for ticker, day in connection.execute(select(table.ticker, table.report_date).order_by(table.report_date)):
        dates.setdefault(ticker, []).append(day)
    return {ticker: np.array(days, dtype="datetime64[D]") for ticker, days in dates.items()}
